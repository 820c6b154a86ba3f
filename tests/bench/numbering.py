#!/usr/bin/python3
"""What checking a number costs: ours, libphonenumber as it comes, and python3-phonenumbers, which a Python service would use.

    tests/bench/numbering.py [--programs build/release] [--count 20000]

Each is asked for validity, E.164, kind and region. Prints Markdown, for docs/BENCHMARKS.md. What it means for an insert:
tests/bench/api.py --only writes. Needs the packages of deploy/packages-bench.
"""
import argparse
import json
import random
import subprocess
import time
from pathlib import Path

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

REGIONS = ("IN", "US", "GB", "DE", "IT", "BR", "CA", "JM")
SPELT = {"as at home": lambda number: number.national, "+ and country": lambda number: "+" + number.e164}


class Number:
    """A random one, of the form of the region's mobile numbers."""

    def __init__(self, region, dice):
        example = phonenumbers.example_number_for_type(region, PhoneNumberType.MOBILE)
        digits = phonenumbers.national_significant_number(example)
        self.national = digits[:4] + "".join(dice.choice("0123456789") for _ in digits[4:])
        self.e164 = f"{example.country_code}{self.national}"


def ask_python(numbers, region):
    """Microseconds a number."""
    start = time.perf_counter()
    for text in numbers:
        number = phonenumbers.parse(text, region)
        if phonenumbers.is_valid_number(number):
            phonenumbers.format_number(number, PhoneNumberFormat.E164)
            phonenumbers.number_type(number)
            phonenumbers.region_code_for_number(number)
    return (time.perf_counter() - start) * 1e6 / len(numbers)


def ask_ours(programs, numbers, region):
    done = subprocess.run([programs / "tests/bench/bench_numbers", region], input="\n".join(numbers),
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path, default=Path("build/release"))
    parser.add_argument("--count", type=int, default=20_000)
    wanted = parser.parse_args()
    dice = random.Random(20261122)
    print("| region | written | valid | ours, us | libphonenumber us | python3-phonenumbers us | ours faster than it |")
    print("|---|---|---|---|---|---|---|")
    for region in REGIONS:
        numbers = [Number(region, dice) for _ in range(wanted.count)]
        for how, spell in SPELT.items():
            texts = [spell(number) for number in numbers]
            ours = ask_ours(wanted.programs, texts, region)
            assert ours["agree"], (region, how)
            python_us = ask_python(texts[:wanted.count // 10], region)
            print(f"| {region} | {how} | {ours['accepted'] / ours['numbers']:.0%} | {ours['tables_us']:.2f} | "
                  f"{ours['library_us']:.1f} | {python_us:.0f} | {python_us / ours['tables_us']:.0f} |", flush=True)


if __name__ == "__main__":
    main()

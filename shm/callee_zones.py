#!/usr/bin/python3
"""The table of shm/callee_zone.c: in which time zones a number may be, by its first digits, as Google's library of telephone
numbers has it. Its C++ edition leaves that out, so it is taken from the Python edition of the same data (python3-phonenumbers).
"""
from phonenumbers.tzdata import TIMEZONE_DATA

# Names of before, which a system need not have any more (Debian's tzdata-legacy).
NAMED_NOW = {
    "Africa/Asmera": "Africa/Asmara",
    "America/Buenos_Aires": "America/Argentina/Buenos_Aires",
    "America/Godthab": "America/Nuuk",
    "Asia/Calcutta": "Asia/Kolkata",
    "Asia/Choibalsan": "Asia/Ulaanbaatar",
    "Asia/Katmandu": "Asia/Kathmandu",
    "Asia/Rangoon": "Asia/Yangon",
    "Atlantic/Faeroe": "Atlantic/Faroe",
    "Pacific/Enderbury": "Pacific/Kanton",
    "Pacific/Ponape": "Pacific/Pohnpei",
    "Pacific/Truk": "Pacific/Chuuk",
}


def main():
    zones = {prefix: tuple(NAMED_NOW.get(name, name) for name in names) for prefix, names in TIMEZONE_DATA.items()}
    lists = sorted(set(zones.values()))
    names = sorted({name for names in lists for name in names})
    print("/* Made by shm/callee_zones.py. */")
    print(f"enum {{ ZONE_NAMES = {len(names)}, ZONE_LISTS = {len(lists)}, ZONES_MOST = {max(map(len, lists))} }};")
    print("static const char *const zone_names[ZONE_NAMES] = {")
    for name in names:
        print(f'\t"{name}",')
    print("};")
    print("/* Where each list begins in zone_of_list, and where the last one ends. */")
    print("static const uint16_t list_at[ZONE_LISTS + 1] = {")
    at = 0
    for one in lists:
        print(f"\t{at},")
        at += len(one)
    print(f"\t{at},")
    print("};")
    print(f"static const uint16_t zone_of_list[{at}] = {{")
    for one in lists:
        print("\t" + ", ".join(str(names.index(name)) for name in one) + ",")
    print("};")
    print("/* Prefixes as numbers, in order. */")
    print("static const struct {")
    print("\tuint32_t digits;")
    print("\tuint16_t list;")
    print(f"}} prefixes[{len(zones)}] = {{")
    for prefix in sorted(zones, key=int):
        print(f"\t{{{int(prefix)}, {lists.index(zones[prefix])}}},")
    print("};")


main()

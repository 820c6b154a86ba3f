# What proves ccs: included by the Makefile.

# The same folder for every suite of one `make check`, so that the last line can sum them.
RESULTS := $(OUT)/results
LINTS   := 'env MAKEFLAGS= $(MAKE) -s NO_INSTALL=1 format-check' $(wildcard tests/lint/*)
RUN     := tests/run -r $(RESULTS)

# The unit tests run a second time with AddressSanitizer and UBSan, unless all of ccs is built so.
ASAN_OUT  := $(if $(filter asan,$(BUILD)),,$(if $(filter build/%,$(OUT)),build/,$(OUT)-)asan)
ASAN_UNIT := $(if $(ASAN_OUT),$(UNIT:$(OUT)/%=$(ASAN_OUT)/%))

# Those of the segment run a third time, their threads under ThreadSanitizer.
TSAN_OUT  := $(patsubst %asan,%tsan,$(ASAN_OUT))
TSAN_UNIT := $(if $(TSAN_OUT),$(patsubst $(OUT)/%,$(TSAN_OUT)/%,$(filter $(OUT)/tests/unit/shm/%,$(UNIT))))

# Processes killed at random, and then counted. Of a bare segment: a few in `make check`, KILLS in `make torture`. Of a whole
# stack under load: TORTURE_OPTIONS, such as "--kills 100 --seed 7", tell how much.
TORTURE := $(OUT)/tests/shm/torture
KILLS   ?= 10000
$(TORTURE): $(call objects,tests/shm) $(call archive,shm) $(call archive,common)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.PHONY: torture
torture: all $(TORTURE) $(OUT)/tests/farm/ccs-farm
	$(Q)$(TORTURE) $(KILLS)
	$(Q)tests/torture/torture.py --programs $(OUT) $(TORTURE_OPTIONS)

# Simulated Asterisk servers, for tests and for `deploy/demo --farm N`.
FARM := $(OUT)/tests/farm/ccs-farm
$(FARM): $(call objects,tests/farm) $(call archive,common)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
.PHONY: farm
farm: $(FARM)

# Days of the dispatcher, each from its seed: clock, PostgreSQL and Asterisk are simulated (tests/sim/sim.h), and stand here
# before the archives, whose own are then not taken. The rest is wrapped.
SIM      := $(OUT)/tests/sim/ccs-sim
SIM_WRAP := clock_wall_us clock_mono_us random_bytes segment_still_named call_state_set call_update event_publish
$(SIM): $(call objects,tests/sim) $(foreach l,dispatcher $(LIBS.program),$(call archive,$(l)))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) $(SIM_WRAP:%=-Wl,--wrap=%) -o $@ $^ $(ccs-dispatcher.libs) $(LDLIBS)
SEEDS ?= 500
.PHONY: sim sim-mutants
sim: $(SIM)
	$(Q)$(SIM) --seeds $(SEEDS)
# Breaks the dispatcher in one place after the other, and sees the simulation notice each: some five minutes.
sim-mutants:
	$(Q)tests/sim/mutants

# Two protocols, in every order of steps and with kills between any two of them; and broken ones, which must fail.
MODEL_BELL  := tests/model/check tests/model/bell.pml SLEEPS_AT_ONCE TAIL_FIRST
MODEL_CLAIM := tests/model/check tests/model/claim.pml NO_FENCE DIALS_FIRST SENT_AFTERWARDS
.PHONY: model
model:
	$(Q)$(MODEL_BELL)
	$(Q)$(MODEL_CLAIM)

.PHONY: unit-programs
unit-programs: $(UNIT)

# Files of system tests that run at once, each process with a stack of its own: more than cores, because most of them wait.
TEST_JOBS ?= 3
SYSTEM    := pytest -n $(TEST_JOBS) --dist loadfile tests/contract tests/system

# Some look at how much memory a process takes: of what it has freed, AddressSanitizer may keep less than its 256 MB.
check: export ASAN_OPTIONS ?= quarantine_size_mb=4

# Every suite runs, whatever the others did; the sum decides.
.PHONY: check
check: all page unit-programs $(TORTURE) $(FARM) $(SIM)
	$(if $(ASAN_OUT),$(Q)$(MAKE) --no-print-directory NO_INSTALL=1 BUILD=asan OUT=$(ASAN_OUT) unit-programs)
	$(if $(TSAN_UNIT),$(Q)$(MAKE) --no-print-directory NO_INSTALL=1 BUILD=tsan OUT=$(TSAN_OUT) $(TSAN_UNIT))
	@rm -f $(RESULTS)
	@$(RUN) lint exit $(LINTS) || :
	@$(RUN) unit tap $(UNIT) || :
	$(if $(ASAN_UNIT),@$(RUN) 'unit with asan' tap $(ASAN_UNIT) || :)
	$(if $(TSAN_UNIT),@$(RUN) 'unit with tsan' tap $(TSAN_UNIT) || :)
	@$(RUN) torture exit $(TORTURE) || :
	@$(RUN) simulation exit '$(SIM) --seeds 500' || :
	@CCS_PROGRAMS=$(abspath $(OUT)) $(RUN) system $(SYSTEM) || :
	@$(RUN) sum

# Row by row, what of the integration document is proved (tests/contract/rows.toml).
.PHONY: contract
contract: all page
	@CCS_PROGRAMS=$(abspath $(OUT)) PYTHONPATH=tests/contract /usr/bin/python3 -m pytest -q -p rows \
		$(if $(ROWS),--rows $(ROWS)) tests/contract tests/system

# Breaks rows one by one, in a copy of the tree, and sees each turn its own test red: some ten minutes.
.PHONY: mutate
mutate:
	@tests/contract/mutate.py $(ROWS)

# What takes longer: chaos on large farms, all of the bad input of which `make check` takes a sample, a browser on the
# reference page.
.PHONY: check-long
check-long: all unit-programs page $(FARM) $(SIM)
	@rm -f $(RESULTS)-long
	@tests/run -r $(RESULTS)-long simulation exit '$(SIM) --seeds 10000' || :
	@tests/run -r $(RESULTS)-long mutants exit tests/sim/mutants || :
	@tests/run -r $(RESULTS)-long model exit '$(MODEL_BELL)' '$(MODEL_CLAIM)' || :
	@CCS_PROGRAMS=$(abspath $(OUT)) tests/run -r $(RESULTS)-long long pytest tests/long || :
	@CCS_NASTY=everything CCS_PROGRAMS=$(abspath $(OUT)) \
		tests/run -r $(RESULTS)-long nasty pytest tests/contract/test_nasty.py || :
	@tests/run -r $(RESULTS)-long sum

# Relay and dispatcher killed a hundred times each under 1,000 calls: consumers that resume have every event once.
.PHONY: torture-events
torture-events: all $(FARM)
	$(Q)CCS_PROGRAMS=$(abspath $(OUT)) tests/torture/events.py

# `make check` on fresh Debian releases; the outcome is kept in docs/DISTCHECK.md. DISTS="trixie" chooses.
DISTS ?= bookworm trixie
.PHONY: distcheck
distcheck:
	$(Q)tests/distcheck $(DISTS)

# The API's document before judges that are not ours: a linter, and a contract proxy that the tests' requests go through.
JUDGES  := $(OUT)/npm/tests
REDOCLY := env REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true $(JUDGES)/node_modules/.bin/redocly
$(JUDGES)/.done: tests/npm/package.json tests/npm/package-lock.json
	$(call say,NPM,tests/npm)
	@mkdir -p $(@D)
	$(Q)cp $^ $(@D) && $(NPM_CI) --prefix $(@D) && touch $@
.PHONY: contract-proxy
contract-proxy: all page $(JUDGES)/.done $(FARM) $(PROBES)
	@rm -f $(RESULTS)-proxy
	@tests/run -r $(RESULTS)-proxy document exit '$(REDOCLY) lint --extends=recommended-strict $(OUT)/web/openapi.json' || :
	@CCS_PROGRAMS=$(abspath $(OUT)) CCS_CONTRACT_PROXY=$(abspath $(JUDGES))/node_modules/.bin/prism \
		tests/run -r $(RESULTS)-proxy 'through proxy' $(SYSTEM) || :
	@tests/run -r $(RESULTS)-proxy sum

# Figures for docs/BENCHMARKS.md: run on a quiet machine.
.PHONY: bench
bench: all
	$(if $(NO_INSTALL),,$(Q)deploy/install-packages deploy/packages-bench)
	$(Q)tests/bench/api.py --programs $(OUT)
	$(Q)tests/bench/calls.py --programs $(OUT)
	$(Q)tests/bench/insert.py --programs $(OUT)
	$(Q)tests/bench/numbering.py --programs $(OUT)
	$(Q)tests/bench/ws.py --programs $(OUT)
	$(Q)tests/bench/guess.py --programs $(OUT)
	$(Q)tests/bench/refill.py --programs $(OUT)
	$(Q)tests/bench/cycles.py --programs $(OUT)
	$(Q)tests/bench/against.py --programs $(OUT)
	$(Q)tests/bench/fairness.py --programs $(OUT)
	$(Q)tests/bench/pacing.py --programs $(OUT)
	$(Q)tests/bench/scale.py --programs $(OUT)
	$(Q)tests/bench/wall.py --programs $(OUT)
	$(Q)tests/bench/workers.py --programs $(OUT)

bench: $(addprefix $(OUT)/tests/bench/,bench_ami bench_life bench_numbers bench_pick bench_scan hello ws_bare ws_load)
$(OUT)/tests/bench/%: $(OUT)/tests/bench/%.c.o $(foreach l,fcgi $(LIBS.program),$(call archive,$(l)))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(ccs-api.libs) $(LDLIBS)

$(OUT)/tests/bench/bench_pick: $(OUT)/tests/bench/bench_pick.c.o $(foreach l,dispatcher $(LIBS.program),$(call archive,$(l)))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(ccs-dispatcher.libs) $(LDLIBS)

# Each tests/fuzz/fuzz_<name>.c, with the sources that it names, under libFuzzer from its corpus. What is found goes to the
# output folder. Needs Debian's package clang.
FUZZ_SECONDS ?= 60
FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz
fuzz: $(FUZZERS:%=fuzz-%)
define fuzz_rules
.PHONY: fuzz-$(1)
fuzz-$(1): $(OUT)/tests/fuzz/fuzz_$(1)
	@mkdir -p $$<.found
	$(Q)$$< -max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=5 -artifact_prefix=$$<.found/ \
		$$<.found tests/fuzz/corpus/$(1)
$(OUT)/tests/fuzz/fuzz_$(1): tests/fuzz/fuzz_$(1).c $(shell sed -n 's/^ \* Sources: //p' tests/fuzz/fuzz_$(1).c)
	$$(call say,FUZZ,$$<)
	@mkdir -p $$(@D)
	$(Q)clang $$(CPPFLAGS) -std=gnu17 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $$@ $$^ $$(LDLIBS)
endef
$(foreach f,$(FUZZERS),$(eval $(call fuzz_rules,$(f))))

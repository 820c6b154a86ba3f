# What proves ccs: included by the Makefile.

# The same folder for every suite of one `make check`, so that the last line can sum them.
RESULTS := $(OUT)/results
LINTS   := '$(MAKE) -s NO_INSTALL=1 format-check' $(wildcard tests/lint/*)
RUN     := tests/run -r $(RESULTS)

# The unit tests run a second time with AddressSanitizer and UBSan, unless all of ccs is built so.
ASAN_OUT  := $(if $(filter asan,$(BUILD)),,$(if $(filter build/%,$(OUT)),build/,$(OUT)-)asan)
ASAN_UNIT := $(if $(ASAN_OUT),$(UNIT:$(OUT)/%=$(ASAN_OUT)/%))

.PHONY: unit-programs
unit-programs: $(UNIT)

# Every suite runs, whatever the others did; the sum decides.
.PHONY: check
check: all unit-programs
	$(if $(ASAN_OUT),$(Q)$(MAKE) --no-print-directory NO_INSTALL=1 BUILD=asan OUT=$(ASAN_OUT) unit-programs)
	@rm -f $(RESULTS)
	@$(RUN) lint exit $(LINTS) || :
	@$(RUN) unit tap $(UNIT) || :
	$(if $(ASAN_UNIT),@$(RUN) 'unit, asan' tap $(ASAN_UNIT) || :)
	@CCS_PROGRAMS=$(abspath $(OUT)) $(RUN) system pytest tests/contract tests/system || :
	@$(RUN) sum

# Figures for docs/BENCHMARKS.md: run on a quiet machine.
.PHONY: bench
bench: all
	$(Q)tests/bench/calls.py --programs $(OUT)

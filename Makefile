# ccs: one makefile, not recursive.
#
#   make demo            the first command: a real Asterisk dials a batch (ONCE=1 ends after the report)
#   make check           the second: every test on real PostgreSQL, nginx and Asterisk
#   make                 the programs, in build/release
#   BUILD=debug|asan|tsan|release chooses the build; OUT=DIR another place for it; V=1 shows commands
#
# Sources are found by folder: a new .c file in a module, or a new tests/unit/<module>/test_*.c, needs no line here.

BUILD ?= release
OUT   ?= build/$(BUILD)
Q     := $(if $(V),,@)
say    = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2))

LIBRARIES := common shm sql registry
PROGRAMS  := ccs-api ccs-dispatcher ccs-relay ccs-courier ccsctl
ccs-api.dir        := fcgi
ccs-dispatcher.dir := dispatcher
ccs-relay.dir      := relay
ccs-courier.dir    := courier
ccsctl.dir         := ctl
MODULES   := $(LIBRARIES) $(foreach p,$(PROGRAMS),$($(p).dir))

# A newcomer's two commands use all cores; whoever calls another target says how many.
ifneq ($(filter demo check,$(MAKECMDGOALS)),)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc)
endif
endif

# Packages first: pkg-config below must find them. `make NO_INSTALL=1` trusts the machine.
# The demo needs fewer than the tests.
PACKAGES := deploy/packages $(if $(filter-out all demo page,$(MAKECMDGOALS)),deploy/packages-check)
ifeq ($(filter clean format help distcheck,$(MAKECMDGOALS))$(NO_INSTALL),)
ifneq ($(shell deploy/install-packages $(PACKAGES) >&2 && echo ok),ok)
$(error a package is missing and could not be installed)
endif
endif

CC  := gcc
CXX := g++
PKGS := libpq jansson openssl libjwt libxxhash inih zlib

WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wcast-qual -Wpointer-arith -Wvla -Wundef -Wformat=2 -Wformat-truncation=2 -Wimplicit-fallthrough \
	-Wswitch-enum -Wduplicated-cond -Wlogical-op -Wnull-dereference
HARDEN := -fno-common -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
OPT.release := -O2 -D_FORTIFY_SOURCE=3
OPT.debug   := -Og -DCCS_DEBUG
OPT.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -Wno-null-dereference
OPT.tsan    := -O1 -fsanitize=thread -Wno-null-dereference
$(if $(OPT.$(BUILD)),,$(error BUILD is $(BUILD); it must be release, debug, asan or tsan))

VERSION  := $(shell cat VERSION)
CPPFLAGS := -I. -I$(OUT) -D_GNU_SOURCE -DCCS_VERSION='"$(VERSION)"' $(shell pkg-config --cflags $(PKGS))
NUMBERS  := -lphonenumber -lprotobuf -lstdc++
CFLAGS   := -std=gnu17 -g $(OPT.$(BUILD)) $(WARN) $(HARDEN)
CXXFLAGS := -std=gnu++17 -g $(OPT.$(BUILD)) -Wall -Wextra -Werror $(HARDEN)
LDFLAGS  := -pie -Wl,-z,relro,-z,now,--as-needed $(filter -fsanitize%,$(OPT.$(BUILD)))
LDLIBS   := $(shell pkg-config --libs $(PKGS)) -lcrypt -lm
ccs-api.libs        := -lfcgi $(NUMBERS)
ccs-dispatcher.libs := $(NUMBERS)
ccsctl.libs         := $(NUMBERS)
ccs-relay.libs      := -lwebsockets
ccs-courier.libs    := -lcurl

objects  = $(patsubst %,$(OUT)/%.o,$(wildcard $(1)/*.c $(1)/*.cc))
archive  = $(OUT)/lib$(1).a
# What a module may link, lowest last: the include table of docs/CONTRIBUTING.md again.
LIBS.common :=
LIBS.shm := common
LIBS.sql := common
LIBS.registry := shm sql common
LIBS.relay := shm common
LIBS.courier := sql shm common
LIBS.program := registry sql shm common

.PHONY: all
all: $(PROGRAMS:%=$(OUT)/%) $(OUT)/web/openapi.json $(OUT)/ctl/ccsctl.8 $(OUT)/ctl/ccsctl.bash

# What is embedded has to be there before the first compiler reads it; from then on its .d files know who does.
$(OUT)/%.c.o: %.c | $(OUT)/sql/embedded.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(OUT)/%.cc.o: %.cc
	$(call say,CXX,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<

# Every module is an archive without its main.c, so that unit tests can link it.
define module_rules
$(call archive,$(1)): $(filter-out $(OUT)/$(1)/main.c.o,$(call objects,$(1))) $(EXTRA.$(1))
	$(call say,AR,$$@)
	@mkdir -p $$(@D)
	$(Q)rm -f $$@ && ar rcs $$@ $$^
endef

# SQL is embedded by name; sql/embed.awk turns the .sql files into one header and one source.
QUERIES    := $(sort $(wildcard sql/queries/*.sql))
MIGRATIONS := $(sort $(wildcard sql/migrations/*.sql))
TEXTS      := $(sort $(wildcard sql/*.sql))
EXTRA.sql  := $(OUT)/sql/embedded.c.o
$(OUT)/sql/embedded.h $(OUT)/sql/embedded.c &: sql/embed.awk $(QUERIES) $(MIGRATIONS) $(TEXTS)
	$(call say,EMBED,sql)
	@mkdir -p $(@D)
	$(Q)awk -f sql/embed.awk -v header=$(OUT)/sql/embedded.h -v source=$(OUT)/sql/embedded.c \
		$(QUERIES) $(MIGRATIONS) $(TEXTS)
$(OUT)/sql/embedded.c.o: $(OUT)/sql/embedded.c
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-overlength-strings -MMD -MP -c -o $@ $<

# In which time zones numbers are, from the data of python3-phonenumbers.
$(OUT)/shm/callee_zones.h: shm/callee_zones.py
	$(call say,MAKE,$@)
	@mkdir -p $(@D)
	$(Q)$< > $@.new && mv $@.new $@
$(OUT)/shm/callee_zone.c.o: $(OUT)/shm/callee_zones.h

$(foreach m,$(MODULES),$(eval $(call module_rules,$(m))))

define program_rules
$(OUT)/$(1): $(OUT)/$($(1).dir)/main.c.o $(call archive,$($(1).dir)) \
		$(foreach l,$(or $(LIBS.$($(1).dir)),$(LIBS.program)),$(call archive,$(l)))
	$(call say,LD,$$@)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $($(1).libs) $(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))

# Unit tests: tests/unit/<module>/test_*.c against that module's archive and what the module may use.
UNIT := $(patsubst %.c,$(OUT)/%,$(wildcard tests/unit/*/test_*.c)) $(patsubst %.cc,$(OUT)/%,$(wildcard tests/unit/*/test_*.cc))
define unit_rules
$(OUT)/tests/unit/$(1)/%: $(OUT)/tests/unit/$(1)/%.$(2).o $(call archive,$(1)) \
		$(foreach l,$(or $(LIBS.$(1)),$(if $(filter common,$(1)),,$(LIBS.program))),$(call archive,$(l)))
	$(call say,LD,$$@)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ -lcmocka -lpthread $(if $(filter fcgi,$(1)),-lfcgi) $(if $(filter relay,$(1)),-lwebsockets) $(if $(filter courier,$(1)),-lcurl) $(NUMBERS) $(LDLIBS)
endef
$(foreach m,$(MODULES),$(eval $(call unit_rules,$(m),c)))
$(eval $(call unit_rules,registry,cc))
.SECONDARY: # objects of tests stay, too

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

.PHONY: unit
unit: $(UNIT)
	$(Q)tests/run unit tap $(UNIT)

# Parts of ccs as programs of their own, for system tests to drive.
PROBES := $(patsubst %.c,$(OUT)/%,$(wildcard tests/system/*.c))
$(OUT)/tests/system/%: $(OUT)/tests/system/%.c.o $(foreach l,dispatcher $(LIBS.program),$(call archive,$(l)))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(ccs-dispatcher.libs) $(LDLIBS)
.PHONY: probes
probes: $(PROBES)
check: probes

# The document of the API, from the route table and what docs/openapi says of each route.
DESCRIPTION := $(wildcard docs/openapi/*)
$(OUT)/web/openapi.json: $(OUT)/ccs-api $(DESCRIPTION) VERSION
	$(call say,DOC,$@)
	@mkdir -p $(@D)
	$(Q)$< --print-routes | docs/openapi/openapi.py json > $@.new && mv $@.new $@
# Manual and completion of ccsctl, from the tables of its commands.
$(OUT)/ctl/ccsctl.8: $(OUT)/ccsctl
	$(call say,DOC,$@)
	$(Q)$< --print-manual > $@.new && mv $@.new $@
$(OUT)/ctl/ccsctl.bash: $(OUT)/ccsctl
	$(call say,DOC,$@)
	$(Q)$< --print-completion > $@.new && mv $@.new $@
.PHONY: docs
docs: $(OUT)/ccs-api
	$(Q)$< --print-routes | docs/openapi/openapi.py markdown > docs/API.md

# The reference page, and Swagger UI, which shows the document: from the npm registry, pinned by web/package-lock.json, without
# running anything that a package brings along.
NPM_CI  := npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
UI      := $(OUT)/npm/page/node_modules/swagger-ui-dist
UI_USED := swagger-ui.css swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt LICENSE NOTICE
$(OUT)/npm/page/.done: web/package.json web/package-lock.json
	$(call say,NPM,swagger-ui-dist)
	@mkdir -p $(@D)
	$(Q)cp $^ $(@D) && $(NPM_CI) --prefix $(@D) && touch $@
$(OUT)/web/docs/index.html: $(OUT)/npm/page/.done $(wildcard web/docs/*)
	@mkdir -p $(@D)
	$(Q)cp $(UI_USED:%=$(UI)/%) web/docs/* $(@D)
.PHONY: page
page: $(OUT)/web/docs/index.html

.PHONY: format format-check lint clean
# Releases of clang-format differ in taste; this one is in Debian 12 and 13.
CLANG_FORMAT := clang-format-19
SOURCES := $(wildcard $(foreach m,$(MODULES),$(m)/*.[ch] $(m)/*.cc) tests/unit/*/*.[ch] tests/unit/*/*.cc tests/bench/*.[ch] tests/system/*.[ch] tests/farm/*.[ch] tests/sim/*.[ch])
format:
	$(CLANG_FORMAT) -i $(SOURCES)
format-check:
	$(Q)$(CLANG_FORMAT) --dry-run --Werror $(SOURCES)
lint:
	$(Q)tests/run lint exit $(LINTS)

.PHONY: demo
demo: all
	$(Q)$(MAKE) --no-print-directory NO_INSTALL=1 page || echo "ccs: npm could not install it: no reference page at /docs" >&2
	$(Q)deploy/demo run --programs $(OUT) $(if $(ONCE),--once)

clean:
	rm -rf build

include tests/tests.mk

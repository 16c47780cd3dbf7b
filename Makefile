# uipath: `make run` and `make test` do everything, from the packages on. `make help` lists the rest.

LUA      ?= lua5.4
ifeq ($(origin CC),default)
  CC     := gcc
endif
PREFIX   ?= /usr/local
OPTIMISE ?= -O2 -g
SANITIZE ?=
# -Werror in the project's own checks: a later compiler's new warning is not to stop a user's build.
WERROR   ?=
COVERAGE ?=
VARIANT   = $(if $(SANITIZE),-$(firstword $(subst $(comma), ,$(SANITIZE))))$(if $(COVERAGE),-coverage)
BUILD    ?= build/$(LUA)$(VARIANT)
comma    := ,

# Which Lua that is: LUA_VERSION names folders, LUA_PACKAGE is pkg-config's name. A plain `lua` is
# asked, and its headers have one name or another.
OUR_LUAS := uipath is for lua5.3, lua5.4, lua5.5 and luajit
ifeq ($(LUA),lua)
  LUA_IS := $(shell lua -e 'print(rawget(_G, "jit") and "luajit" or (_VERSION:gsub("Lua ", "lua")))' 2>/dev/null)
  ifeq ($(LUA_IS),)
    $(error LUA=lua: there is no such program; $(OUR_LUAS))
  endif
else
  LUA_IS := $(LUA)
endif
ifeq ($(LUA_IS),luajit)
  LUA_PACKAGE := luajit
  LUA_VERSION := 5.1
else ifneq ($(filter lua5.3 lua5.4 lua5.5,$(LUA_IS)),)
  LUA_VERSION := $(LUA_IS:lua%=%)
  ifeq ($(LUA),lua)
    LUA_PACKAGE := $(firstword $(shell for name in lua$(LUA_VERSION) lua-$(LUA_VERSION) lua$(subst .,,$(LUA_VERSION)); do \
      pkg-config --exists $$name 2>/dev/null && echo $$name; done) lua$(LUA_VERSION))
  else
    LUA_PACKAGE := $(LUA)
  endif
else
  $(error LUA=$(LUA)$(if $(filter lua,$(LUA)), is $(LUA_IS)): $(OUR_LUAS))
endif
# Those that the suite runs for: the one that is asked for, else both that most hosts have.
LUAS ?= $(if $(filter file,$(origin LUA)),lua5.4 luajit,$(LUA))

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes $(WERROR)
# Recursive, so that they are asked for only once the packages are there.
LUA_INCLUDE = $(shell pkg-config --cflags $(LUA_PACKAGE))
LUA_LIBS    = $(shell pkg-config --libs $(LUA_PACKAGE))
ENGINE_LIBS = $(shell pkg-config --libs libcurl zlib libdeflate) -lm
ALL_CFLAGS  = -std=c11 -D_GNU_SOURCE $(OPTIMISE) -fPIC -fvisibility=hidden -pthread $(WARNINGS) $(SANITIZE_FLAGS) $(CFLAGS)
SANITIZE_FLAGS = $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) $(if $(COVERAGE),--coverage)

ifeq ($(shell uname -s),Darwin)
  MODULE_FLAGS := -bundle -undefined dynamic_lookup
else
  MODULE_FLAGS := -shared
endif

# What knows nothing of Lua: the C tests are linked with these alone.
PLAIN_SOURCES  := $(wildcard src/engine/*.c) src/json/scan.c src/json/number.c
MODULE_SOURCES := $(wildcard src/*.c) $(filter-out $(PLAIN_SOURCES),$(wildcard src/json/*.c)) $(PLAIN_SOURCES)
MODULE_OBJECTS := $(MODULE_SOURCES:%.c=$(BUILD)/%.o)
PLAIN_OBJECTS  := $(PLAIN_SOURCES:%.c=$(BUILD)/%.o)
SPEC_PROGRAMS  := $(patsubst spec/support/%.c,$(BUILD)/support/%,$(filter-out %/alone.c,$(wildcard spec/support/*.c))) $(BUILD)/support/alone.so
UNIT_TESTS     := $(patsubst spec/unit/%.c,$(BUILD)/unit/%,$(wildcard spec/unit/*_test.c))
# JSON's tests run the Lua half as well, and once more without what only some processors and compilers have.
JSON_OBJECTS     := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/json/*.c))
PORTABLE_OBJECTS := $(JSON_OBJECTS:$(BUILD)/%=$(BUILD)/portable/%)
UNIT_TESTS       += $(patsubst spec/unit/%_test.c,$(BUILD)/unit/%_portable_test,$(wildcard spec/unit/json_*_test.c))
# So are the twins of what Linux alone has.
UNIT_TESTS       += $(BUILD)/unit/descriptor_portable_test $(BUILD)/unit/file_sink_portable_test \
  $(BUILD)/unit/notify_portable_test
LUA_FILES      := $(shell cd src 2>/dev/null && find uipath -name '*.lua' | sort)

# Where a compiler or headers are missing, one line instead of a compiler's many.
define CHECK_TOOLS
missing=; \
for command in $(firstword $(CC)) pkg-config; do command -v $$command >/dev/null || missing="$$missing $$command"; done; \
for library in libcurl zlib libdeflate $(LUA_PACKAGE); do \
  pkg-config --exists $$library 2>/dev/null || missing="$$missing $$library(development files)"; done; \
[ -z "$$missing" ] || { echo "Missing:$$missing. Run \`make run\` first, which installs what is needed." >&2; exit 1; }
endef

.DEFAULT_GOAL := module
.DELETE_ON_ERROR:
.SUFFIXES:

module: $(BUILD)/uipath.so ## build build/lua5.4/uipath.so (LUA=luajit, lua5.3, lua5.5 or lua: build/luajit/uipath.so, …)

$(BUILD)/uipath.so: $(MODULE_OBJECTS)
	$(CC) $(MODULE_FLAGS) $(SANITIZE_FLAGS) -pthread -o $@ $^ $(ENGINE_LIBS) $(LDFLAGS)

$(BUILD)/tools-are-there:
	@$(CHECK_TOOLS)
	@mkdir -p $(@D)
	@touch $@

$(BUILD)/src/engine/%.o: src/engine/%.c | $(BUILD)/tools-are-there
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/%.o: %.c | $(BUILD)/tools-are-there
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_INCLUDE) -MMD -MP -c -o $@ $<

# What depends on headers as well, once it was built: clang does not link those.
unit: $(UNIT_TESTS)

$(BUILD)/unit/%: spec/unit/%.c $(PLAIN_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $(filter-out %.h,$^) -lcmocka $(ENGINE_LIBS) $(UNIT_LIBS)

programs: $(SPEC_PROGRAMS)

$(BUILD)/support/alone.so: spec/support/alone.c
	@mkdir -p $(@D)
	$(CC) -shared -fPIC $(WARNINGS) -o $@ $<

# The specs' own programs. The module finds Lua in the program that has loaded it, which may have functions of the C library's names.
$(BUILD)/support/%: spec/support/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_INCLUDE) -rdynamic -MMD -MP -o $@ $< $$(pkg-config --libs $(LUA_PACKAGE)) $(PROGRAM_LIBS)

$(BUILD)/support/odd_server: PROGRAM_LIBS = $$(pkg-config --libs openssl)

# This one looks at what is about to be freed.
$(BUILD)/unit/buffer_test: UNIT_LIBS = -Wl,--wrap=free

# This one decides which allocations fail.
$(BUILD)/unit/no_memory_test: UNIT_LIBS = $(foreach name,malloc calloc realloc strdup strndup free,-Wl,--wrap=$(name))

$(BUILD)/unit/json_%_test: spec/unit/json_%_test.c $(JSON_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LUA_INCLUDE) -MMD -MP -o $@ $(filter-out %.h,$^) -lcmocka $(LUA_LIBS) -lm

$(BUILD)/unit/json_%_portable_test: spec/unit/json_%_test.c $(PORTABLE_OBJECTS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DJSON_PORTABLE -DUIPATH_PORTABLE $(LUA_INCLUDE) -MMD -MP -o $@ $(filter-out %.h,$^) -lcmocka $(LUA_LIBS) -lm

$(BUILD)/unit/notify_portable_test: spec/unit/notify_test.c $(BUILD)/portable/src/engine/notify.o \
  $(filter-out %/notify.o,$(PLAIN_OBJECTS))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $(filter-out %.h,$^) -lcmocka $(ENGINE_LIBS) $(UNIT_LIBS)

$(BUILD)/unit/%_portable_test: spec/unit/%_test.c $(BUILD)/portable/src/engine/%.o
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -o $@ $(filter-out %.h,$^) -lcmocka

$(BUILD)/portable/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DJSON_PORTABLE -DUIPATH_PORTABLE $(LUA_INCLUDE) -MMD -MP -c -o $@ $<

-include $(MODULE_OBJECTS:.o=.d) $(PORTABLE_OBJECTS:.o=.d) $(UNIT_TESTS:=.d) $(SPEC_PROGRAMS:=.d)

install: module ## install under PREFIX (DESTDIR is honoured)
	install -d '$(DESTDIR)$(PREFIX)/lib/lua/$(LUA_VERSION)'
	install -m 755 $(BUILD)/uipath.so '$(DESTDIR)$(PREFIX)/lib/lua/$(LUA_VERSION)/uipath.so'
	for file in $(LUA_FILES); do \
	  install -D -m 644 "src/$$file" '$(DESTDIR)$(PREFIX)/share/lua/$(LUA_VERSION)/'"$$file" || exit 1; done
	install -d '$(DESTDIR)$(PREFIX)/bin'
	@# Where LuaJIT and another Lua have the module, luipath runs in the other. It need not look for one here.
	cd '$(DESTDIR)$(PREFIX)/bin'; if [ $(LUA_PACKAGE) != luajit ] || [ ! -e luipath ]; then \
	  { echo '#!/usr/bin/env $(LUA)'; sed '1,/^]]/d' $(TREE)/src/luipath; } >luipath && chmod 755 luipath; fi

# As a shell's word. What the user's own variables say comes after it; LUA_PATH_5_4 is read before LUA_PATH changes, which LuaJIT has alone.
TREE = '$(subst ','\'',$(CURDIR))'

# Lua 5.3 and 5.5 have theirs when they are asked for.
# $(1): a version, as in 5.4. The folder's name is that of the LUA that was built, which may be `lua`.
BUILT_FOR = $(TREE)'/build/$(if $(filter $(1),$(LUA_VERSION)),$(LUA),$(if $(filter 5.1,$(1)),luajit,lua$(1)))$(VARIANT)/?.so;'
define SHELL_ENV
$(info export LUA_PATH_$(2)=$(TREE)'/src/?.lua;'"$${LUA_PATH_$(2):-$${LUA_PATH:-;;}}")
$(info export LUA_CPATH_$(2)=$(call BUILT_FOR,$(1))"$${LUA_CPATH_$(2):-$${LUA_CPATH:-;;}}")
endef

shell-env: ## print what lets lua5.4 and luajit (and LUA) find the module in this tree, and the shell luipath
	@:$(foreach version,5.4 $(filter-out 5.1 5.4,$(LUA_VERSION)),$(call SHELL_ENV,$(version),$(subst .,_,$(version))))
	@:$(info export LUA_PATH=$(TREE)'/src/?.lua;'"$${LUA_PATH:-;;}")
	@:$(info export LUA_CPATH=$(call BUILT_FOR,5.1)"$${LUA_CPATH:-;;}")
	@:$(info export PATH=$(TREE)'/src':"$$PATH")

rock-vars: ## print what luarocks must be told on Debian, whose headers are in folders of their own
	@command -v $(firstword $(CC)) >/dev/null || { echo 'rock-vars: there is no $(firstword $(CC)): run `make run` first, which installs it' >&2; exit 1; }
	@header=$$(echo '#include <curl/curl.h>' | $(CC) -E -M - 2>/dev/null | tr ' ' '\n' | grep -m1 'curl/curl.h$$') || \
	  { echo "rock-vars: there is no curl/curl.h: run \`make run\` first, which installs libcurl's headers" >&2; exit 1; }; \
	  echo "CURL_INCDIR=$${header%/curl/curl.h}"
ifeq ($(LUA_PACKAGE),luajit)
	@folder=$$(pkg-config --variable=includedir luajit) && [ -e "$$folder/luajit.h" ] || \
	  { echo "rock-vars: there is no luajit.h: run \`make run\` first, which installs LuaJIT's headers" >&2; exit 1; }; \
	  echo "LUA_INCDIR=$$folder"
endif

# Builds the module for the Lua $(1), on all cores unless make was told how many. What is built
# already is not worth a line.
JOBS = -j$$(getconf _NPROCESSORS_ONLN)
BUILD_STAGE = $(MAKE) -s --no-print-directory -q LUA=$(1) module >/dev/null 2>&1 || \
	  spec/support/stage "building the module for $(1)" \
	  $(MAKE) -s --no-print-directory $(JOBS) LUA=$(1) module

run: ## build, and list the machines of the tenant that UIPATH_* or a profile names, or of the bundled sandbox
	@LUA=$(LUA_IS) spec/support/packages run
	@$(call BUILD_STAGE,$(LUA))
	@eval "$$($(MAKE) -s --no-print-directory shell-env)"; exec $(LUA) examples/list_machines.lua

run-nginx: ## build, start examples/nginx against the tenant or the sandbox, and show its replies
	@LUA=luajit spec/support/packages run nginx
	@$(call BUILD_STAGE,luajit)
	@eval "$$($(MAKE) -s --no-print-directory shell-env)"; exec luajit examples/nginx/run.lua

test: ## everything: packages, both builds, C tests, specs under Lua 5.4 and LuaJIT (LUA=lua5.3: that one alone)
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/run plain

test-asan: ## the same under AddressSanitizer and UndefinedBehaviorSanitizer
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/run asan

test-tsan: ## the same under ThreadSanitizer
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/run tsan

test-valgrind: ## the same under valgrind
	@LUA=$(LUA_IS) spec/support/packages run test valgrind
	@LUAS='$(LUAS)' spec/support/run valgrind

test-gc: ## the same with the collector at its most aggressive
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/run gc

coverage: ## the same, and which share of the lines of C and of Lua it has run
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/coverage

test-nginx: ## the specs inside nginx, and tens of thousands of requests; NGINX=path: of that nginx
	@LUA=$(LUA_IS) spec/support/packages run test bench
	@$(MAKE) -s --no-print-directory LUA=luajit module programs
	@NGINX='$(NGINX)' spec/support/test-nginx

bench-nginx: ## throughput, CPU and latency inside nginx against hand-written cosockets
	@LUA=$(LUA_IS) spec/support/packages run test bench
	@$(MAKE) -s --no-print-directory LUA=luajit module
	@eval "$$($(MAKE) -s --no-print-directory shell-env)"; export LUA_PATH="$(CURDIR)/?.lua;$$LUA_PATH"; luajit spec/nginx/bench.lua

test-foreign: ## what readers that others have written see in our JUnit files (npm installs them into build/foreign)
	@LUA=$(LUA_IS) spec/support/packages run test
	@$(MAKE) -s --no-print-directory LUA=lua5.4 module
	@LUA=lua5.4 spec/foreign/run

ROUNDS ?= 20

steady: ## the specs of time, processes and sockets on a busy core: make steady ROUNDS=20
	@LUA=$(LUA_IS) spec/support/packages run test
	@LUAS='$(LUAS)' spec/support/steady $(ROUNDS)

test-soak: ## 100,000 small calls: descriptors and memory stay flat
	@LUA=$(LUA_IS) spec/support/packages run test
	@for lua in lua5.4 luajit; do $(MAKE) -s --no-print-directory LUA=$$lua module programs && \
	  eval "$$($(MAKE) -s --no-print-directory LUA=$$lua shell-env)" && MALLOC_ARENA_MAX=1 build/$$lua/support/host spec/support/soak.lua || exit 1; done

bench: ## time against bare libcurl and others (may use npm)
	@LUA=$(LUA_IS) spec/support/packages run test bench
	@$(MAKE) -s --no-print-directory module
	@spec/bench/run

fuzz: ## run the fuzz targets for a bounded time
	@LUA=$(LUA_IS) spec/support/packages run test lint fuzz
	@spec/fuzz/run

lint: ## clang-tidy, cppcheck, luacheck, and both compilers' warnings
	@LUA=$(LUA_IS) spec/support/packages run lint
	@spec/support/lint

systems: ## make run, test and lint in fresh Debians (root): make systems SYSTEMS="bookworm sid"
	@spec/support/systems $(SYSTEMS)

catalogue: ## generate the catalogue of endpoints anew: make catalogue DEFINITIONS=folder
	@LUA=$(LUA_IS) spec/support/packages run
	@[ -d '$(DEFINITIONS)' ] || { echo 'catalogue: say where the published definitions are: DEFINITIONS=folder' >&2; exit 2; }
	lua5.4 spec/support/catalogue.lua '$(DEFINITIONS)' >src/uipath/catalogue/data.lua

print-build:
	@echo $(BUILD)

clean: ## remove what was built, by luarocks too
	rm -rf build uipath.so
	find src -name '*.o' -exec rm -f {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: print-build module unit programs install shell-env rock-vars run run-nginx test test-nginx test-foreign bench-nginx test-asan test-tsan test-valgrind test-gc test-soak steady bench fuzz lint systems catalogue clean help

# SPDX-License-Identifier: Apache-2.0
# Nakoso: plain `make` builds build/nakoso. `make run` and `make check` install what is missing.
# Variants: SAN=asan (AddressSanitizer and UBSan), SAN=fuzz (clang, libFuzzer), OPT=-O0.
.DEFAULT_GOAL := all
SAN ?=
OUT := build$(if $(SAN),/$(SAN))
CC ?= gcc
AR := gcc-ar
LLHTTP := /usr/share/llhttp
VERSION := $(shell cat VERSION)

OPT ?= -O2
WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 \
        -Wconversion -Wno-sign-conversion -Wimplicit-fallthrough -Wundef -Werror
# Hardening: OpenSSF compiler options guide for C.
HARD := -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection=full \
        -fno-delete-null-pointer-checks -fno-strict-overflow -fno-strict-aliasing -fPIE
HARDLD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,-z,nodlopen -Wl,--as-needed
ifeq ($(SAN),asan)
  HARD := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -fPIE -DNK_ASAN=1
  HARDLD := -fsanitize=address,undefined -pie
  OPT := -O1
endif
ifeq ($(SAN),fuzz)
  CC := clang
  HARD := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
  HARDLD := -fsanitize=address,undefined
  OPT := -O1
endif
CPPFLAGS := -D_GNU_SOURCE -Isrc -Iinclude -isystem /usr/share/include -DNK_VERSION='"$(VERSION)"'
CFLAGS := -std=c17 -g $(OPT) $(WARN) $(HARD)
# The daemon is optimised as one program; its objects are fat, so that tests link the same ones in the ordinary way, quickly.
LTO := $(if $(SAN),,-flto -ffat-lto-objects)
LTOLD := $(HARDLD) $(if $(SAN),,-flto=2)
HARDLD += $(if $(SAN),,-fno-lto)
# One short line for each command; V=1 shows them whole.
$(if $(V),,$(eval .SILENT:))
say = @echo "  $(1)  $(2)"
LDLIBS := -lssl -lcrypto -lyaml -lseccomp -lcares -lnghttp2

# tools/layers lists the modules from the lowest to the highest; what comes before `edge` is the core.
MODULES := $(shell grep -v '^\#' tools/layers)
CORE := $(shell sed '/^edge$$/,$$d; /^\#/d' tools/layers)
SRC_CORE := $(foreach m,$(CORE),$(wildcard src/$(m)/*.c))
SRC_TOP := $(foreach m,$(filter-out $(CORE),$(MODULES)),$(wildcard src/$(m)/*.c))
OBJ_CORE := $(SRC_CORE:%.c=$(OUT)/%.o) $(addprefix $(OUT)/llhttp/,api.o http.o llhttp.o)
OBJ_TOP := $(SRC_TOP:%.c=$(OUT)/%.o)
UNIT := $(patsubst tests/unit/%,$(OUT)/tests/%,$(basename $(wildcard tests/unit/*.c tests/unit/*.cc)))
FUZZ := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(wildcard tests/fuzz/*.c))
HOSTILE := $(patsubst tests/%.c,$(OUT)/%,$(filter-out %/clock.c,$(wildcard tests/hostile/*.c))) $(OUT)/hostile/nakoso
BENCH := $(patsubst bench/%,$(OUT)/bench/%,$(basename $(wildcard bench/*.c bench/*.cc)))

all: # build/nakoso
	@tools/deps build
	@$(MAKE) --no-print-directory $(OUT)/nakoso

$(OUT)/nakoso: $(OUT)/src/main.o $(OBJ_TOP) $(OUT)/libnakoso.a
	$(call say,LINK,$@)
	$(CC) $(CFLAGS) $(LTOLD) -o $@ $^ $(LDLIBS)

$(OUT)/libnakoso.a: $(OBJ_CORE)
	$(call say,AR  ,$@)
	@rm -f $@
	$(AR) rcs $@ $^

# What is installed for other programs: one object of the modules that the engine needs, in which the functions
# of include/nakoso.h alone can be seen from outside. It needs nothing but the C library.
EMBED := $(foreach m,base json cedar embed,$(patsubst %.c,$(OUT)/%.o,$(wildcard src/$(m)/*.c)))
$(OUT)/embed/libnakoso.a: $(EMBED)
	@mkdir -p $(@D)
	$(call say,AR  ,$@)
	ld -r -o $(@D)/nakoso.o $^
	objcopy --remove-section '.gnu.lto_*' --remove-section '.gnu.debuglto_*' --wildcard \
	  --keep-global-symbol='nk_engine_*' --keep-global-symbol=nk_version $(@D)/nakoso.o
	@rm -f $@
	ar rcs $@ $(@D)/nakoso.o

$(OUT)/src/cmd/policy_schema.o: policy/nakoso.cedarschema
$(OUT)/src/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC  ,$<)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LTO) -MMD -MP -c -o $@ $<

# llhttp's generated C is Debian's (node-llhttp); it is built as it is, without our warnings, in its
# strict mode (which is off by default).
$(OUT)/llhttp/%.o: $(LLHTTP)/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC  ,$<)
	$(CC) -std=gnu17 -g -O2 $(HARD) $(LTO) -DLLHTTP_STRICT_MODE=1 -I/usr/share/include/llhttp -w -c -o $@ $<

# Test programs: one file each, linked with all but main.
$(OUT)/tests/%: tests/unit/%.c tests/tap.h $(OBJ_TOP) $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) -Wno-unused-result $(HARDLD) -MMD -MP -o $@ $< $(OBJ_TOP) $(OUT)/libnakoso.a $(LDLIBS) $(TEST_LIBS_$*)
TEST_LIBS_json_oracle := -ljansson
TEST_LIBS_sandbox := -Wl,--wrap=nk_confine_landlock_abi

# Peers as oracles that come as C++ libraries.
$(OUT)/tests/%: tests/unit/%.cc tests/tap.h $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	g++ $(CPPFLAGS) -Itests -std=c++17 -g $(OPT) -Wall -Wextra -Werror $(HARD) $(HARDLD) -MMD -MP -o $@ $< $(OUT)/libnakoso.a -lsimdjson -lcrypto

# Plays .gate files against the core and against the daemon.
$(OUT)/tests/scenario: $(wildcard tests/scenario/*.[ch]) tests/tap.h $(OBJ_TOP) $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(HARDLD) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc -o $@ $(filter %.c,$^) $(OBJ_TOP) $(OUT)/libnakoso.a $(LDLIBS)

# A nakoso whose wall clock a test moves; and clients that a test needs by the thousand.
$(OUT)/hostile/nakoso: tests/hostile/clock.c $(OUT)/src/main.o $(OBJ_TOP) $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(HARDLD) -Wl,--wrap=clock_gettime -o $@ $^ $(LDLIBS)

$(OUT)/hostile/%: tests/hostile/%.c
	@mkdir -p $(@D)
	$(call say,TEST,$<)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(HARDLD) -o $@ $<

$(OUT)/fuzz/%: tests/fuzz/%.c $(OBJ_TOP) $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer,tests/replay.c) $(HARDLD) -o $@ $< $(OBJ_TOP) $(OUT)/libnakoso.a $(LDLIBS)

$(OUT)/bench/%: bench/%.c $(OBJ_TOP) $(OUT)/libnakoso.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -Itests $(CFLAGS) $(HARDLD) -o $@ $< $(OBJ_TOP) $(OUT)/libnakoso.a $(LDLIBS)

$(OUT)/bench/%: bench/%.cc
	@mkdir -p $(@D)
	g++ -std=c++17 -g $(OPT) -Wall -Wextra -Werror $(HARD) $(HARDLD) -o $@ $< -lsimdjson -ljansson

unit: $(UNIT) $(OUT)/tests/scenario

fuzzers: $(FUZZ)

hostile: $(HOSTILE)

run: all # the hospital story on this machine; stays up until Ctrl-C
	@tools/deps check
	@tools/demo --stay

demo: all # the same story without staying up; the exit status tells
	@tools/deps check
	@tools/demo

check: # everything that is tested; tools/check unit/json runs a part
	@tools/deps build check
	@tools/check

bombard: # 1 GB of mutated bytes at the daemon built with sanitizers (MB=…, SEED=…)
	@tools/deps build check
	@$(MAKE) --no-print-directory -j2 all hostile
	@$(MAKE) --no-print-directory -j2 SAN=asan build/asan/nakoso
	@MB=$(or $(MB),1024) SEED=$(or $(SEED),$(shell date +%s)) tests/e2e/bombard

fuzz: # every fuzz target for FUZZ_SECONDS, starting from its corpus; then `make differ`
	@tools/deps build check
	@$(MAKE) --no-print-directory -j2 SAN=fuzz fuzzers
	@tools/fuzz $(FUZZ_SECONDS)
	@$(MAKE) --no-print-directory differ
FUZZ_SECONDS ?= 60

differ: # a million Cedar requests beside the reference implementation (COUNT=…, SEED=…)
	@tools/deps build check
	@$(MAKE) --no-print-directory -j2 all
	@COUNT=$(or $(COUNT),1000000) SEED=$(or $(SEED),$(shell date +%s)) tests/e2e/cedar_wasm

lint: # clang-tidy and cppcheck
	@tools/deps build check lint
	@tools/lint

bench: all # measures; see docs/why/06-what-it-costs.md
	@tools/deps check bench
	@$(MAKE) --no-print-directory $(BENCH)
	@bench/run

format: # clang-format over all sources
	find src include tests bench -name '*.[ch]' -o -name '*.cc' | xargs clang-format -i

DESTDIR ?=
PREFIX ?= /usr/local
install: all $(OUT)/embed/libnakoso.a # DESTDIR and PREFIX as usual
	install -D -m 755 $(OUT)/nakoso $(DESTDIR)$(PREFIX)/bin/nakoso
	install -D -m 644 $(OUT)/embed/libnakoso.a $(DESTDIR)$(PREFIX)/lib/libnakoso.a
	install -D -m 644 include/nakoso.h $(DESTDIR)$(PREFIX)/include/nakoso.h
	install -D -m 644 packaging/nakoso.1 $(DESTDIR)$(PREFIX)/share/man/man1/nakoso.1
	install -D -m 644 packaging/nakoso.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/nakoso.conf
	@install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' packaging/nakoso.pc.in > $(DESTDIR)$(PREFIX)/lib/pkgconfig/nakoso.pc
	sed 's|@PREFIX@|$(PREFIX)|' packaging/nakoso.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/nakoso.service
	@for f in $$(find policy examples -type f -not -path '*/var/*' 2>/dev/null); do install -D -m 644 $$f $(DESTDIR)$(PREFIX)/share/nakoso/$$f || exit 1; done

clean:
	rm -rf build

help: # this list
	@sed -nE 's/^([a-z]+):[^#]*# (.*)/make \1|\2/p' Makefile | column -t -s '|'

.PHONY: all unit fuzzers hostile run demo check bombard fuzz differ lint bench format install clean help
-include $(shell find $(OUT) -name '*.d' 2>/dev/null)

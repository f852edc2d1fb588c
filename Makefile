# SPDX-License-Identifier: GPL-2.0-or-later
# Builds lprof, all of it under build/ (B=DIR: elsewhere). `make V=1` shows the commands; deploy/install-deps brings the tools.
VERSION := 0.1
B ?= build
PREFIX ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
CC := gcc
CLANG := clang
BPFTOOL := $(shell PATH="$$PATH:/usr/sbin:/sbin" command -v bpftool || echo bpftool)
PACKAGES := libbpf libelf libdw json-c zlib libsystemd libmicrohttpd ncursesw libprotobuf-c
FUZZ_SECONDS ?= 60
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' $(1) $@)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef \
	-Wpointer-arith -Wwrite-strings -Wformat=2 -Wno-missing-field-initializers
COMMON := -std=gnu11 -D_GNU_SOURCE -DLPROF_VERSION='"$(VERSION)"' -g -Iinclude -Iuser -Itests \
	-isystem $(B)/bpf -isystem $(B)/page -isystem $(B)/proto \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null) $(WARNINGS) -MMD -MP
HARDENED := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS ?= -O2
LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lZydis -liberty -linih -lpthread -lm
LINK := -pie -Wl,-z,relro,-z,now,--as-needed
BPF_FLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Iinclude \
	-idirafter /usr/include/$(shell $(CC) -dumpmachine 2>/dev/null) -MMD -MP

SOURCES := $(wildcard $(patsubst %,user/%/*.c,base model target collect output input control))
COMMANDS := $(wildcard user/cmd/*.c)
DAEMON := $(wildcard user/daemon/*.c)
MESSAGES := $(patsubst user/%.proto,$(B)/proto/%.pb-c.c,$(wildcard user/*/*.proto))
SKELETONS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.skel.h,$(wildcard bpf/*.bpf.c))
tests = $(patsubst %.c,$(1)/%,$(wildcard $(2)))
UNIT := $(call tests,$(B),tests/unit/test_*.c tests/bpf/test_*.c)
SANITIZED := $(call tests,$(B)/san,tests/unit/test_*.c tests/bpf/test_*.c)
FUZZERS := $(call tests,$(B)/san,tests/fuzz/fuzz_*.c)
KERNEL := $(call tests,$(B),tests/kernel/test_*.c)
# Long ones that count, but time nothing; the longest first
BESIDE := $(addprefix tests/e2e/test_,torture.sh kernels.sh known_calls.py lprofd_push.py counts.py record.py \
	source_counts.py lprofd_disk.py lprofd_kills.py)
E2E := $(filter-out $(BESIDE),$(wildcard tests/e2e/test_*.sh tests/e2e/test_*.py))
CHECKS := $(sort $(wildcard tests/checks/check-*))
WORKLOADS := $(foreach v,gcc-O0 gcc-O2 gcc-O3 clang-O0 clang-O2 clang-O3,\
	$(patsubst tests/workloads/%.c,$(B)/workloads/$(v)/%,$(wildcard tests/workloads/*.c)))

all: $(B)/liblprof.a $(if $(COMMANDS),$(B)/lprof) $(if $(DAEMON),$(B)/lprofd)

# The program: build/obj is what ships, build/werror proves GCC silent, build/san (clang) serves
# the sanitized tests and the fuzzers.
$(B)/obj/%.o: %.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(COMMON) $(HARDENED) $(CFLAGS) -c -o $@ $<
$(B)/werror/%.o: %.c
	$(Q)mkdir -p $(@D) && $(CC) $(COMMON) $(HARDENED) -O2 -Werror -c -o $@ $<
$(B)/san/%.o: %.c
	$(call say,CLANG)
	$(Q)mkdir -p $(@D) && $(CLANG) $(COMMON) -O1 -Werror $(SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<
$(B)/liblprof.a: $(SOURCES:%.c=$(B)/obj/%.o) $(MESSAGES:$(B)/%.c=$(B)/obj/%.o)
$(B)/san/liblprof.a: $(SOURCES:%.c=$(B)/san/%.o) $(MESSAGES:$(B)/%.c=$(B)/san/%.o)
$(B)/liblprof.a $(B)/san/liblprof.a:
	$(call say,AR)
	$(Q)rm -f $@ && ar rcs $@ $^
$(B)/lprof: $(COMMANDS:%.c=$(B)/obj/%.o) $(B)/liblprof.a
	$(call say,LINK)
	$(Q)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/lprofd: $(DAEMON:%.c=$(B)/obj/%.o) $(B)/liblprof.a
	$(call say,LINK)
	$(Q)$(CC) $(LINK) $(LDFLAGS) -o $@ $^ $(LIBS)
$(B)/bpf/%.bpf.o: bpf/%.bpf.c
	$(call say,BPF)
	$(Q)mkdir -p $(@D) && $(CLANG) $(BPF_FLAGS) -c -o $@ $< && llvm-strip -g $@
$(B)/bpf/%.skel.h: $(B)/bpf/%.bpf.o
	$(call say,SKELETON)
	$(Q)$(BPFTOOL) gen skeleton $< > $@.tmp && mv $@.tmp $@
$(foreach flavour,obj werror san,$(patsubst %.c,$(B)/$(flavour)/%.o,$(wildcard user/collect/*.c))): $(SKELETONS)
# Protocol buffers: the messages' code is generated, and not held to our warnings.
$(B)/proto/%.pb-c.c $(B)/proto/%.pb-c.h: user/%.proto
	$(call say,PROTO)
	$(Q)mkdir -p $(B)/proto && protoc-c --proto_path=user --c_out=$(B)/proto $<
$(B)/obj/proto/%.o: $(B)/proto/%.c
	$(Q)mkdir -p $(@D) && $(CC) $(HARDENED) $(CFLAGS) -w -I$(B)/proto -c -o $@ $<
$(B)/san/proto/%.o: $(B)/proto/%.c
	$(Q)mkdir -p $(@D) && $(CLANG) -O1 -w $(SANITIZE) -fsanitize=fuzzer-no-link -I$(B)/proto -c -o $@ $<
$(foreach flavour,obj werror san,$(patsubst %.c,$(B)/$(flavour)/%.o,$(wildcard user/output/*.c user/input/*.c tests/unit/*.c))): $(MESSAGES:.c=.h)

$(B)/page/page.inc: user/output/page/embed $(wildcard user/output/page/*)
	$(call say,PAGE)
	$(Q)mkdir -p $(@D) && $< > $@
$(foreach flavour,obj werror san,$(B)/$(flavour)/user/output/html.o): $(B)/page/page.inc

# The tests.
$(UNIT) $(KERNEL): $(B)/tests/%: $(B)/obj/tests/%.o $(B)/liblprof.a
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CC) $(LINK) -o $@ $^ $(LIBS) -lcmocka
$(SANITIZED): $(B)/san/tests/%: $(B)/san/tests/%.o $(B)/san/liblprof.a
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CLANG) $(SANITIZE) -o $@ $^ $(LIBS) -lcmocka
$(FUZZERS): $(B)/san/tests/%: $(B)/san/tests/%.o $(B)/san/liblprof.a
	$(call say,LINK)
	$(Q)mkdir -p $(@D) && $(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(LIBS)
define workload
$(B)/workloads/$(1)-$(2)/%: tests/workloads/%.c
	$$(call say,WORKLOAD)
	$$(Q)mkdir -p $$(@D) && $(1) -std=gnu11 -D_GNU_SOURCE -g -$(2) -Iinclude -pthread -o $$@ $$< -lm
endef
$(foreach o,O0 O2 O3,$(eval $(call workload,gcc,$(o)))$(eval $(call workload,clang,$(o))))
workloads: $(WORKLOADS)
warnings: $(foreach flavour,werror san,$(patsubst %.c,$(B)/$(flavour)/%.o,$(SOURCES) $(COMMANDS) $(DAEMON)))
build-tests: all warnings workloads $(UNIT) $(SANITIZED) $(FUZZERS) $(KERNEL)

check:
	$(Q)deploy/install-deps
	$(Q)$(MAKE) --no-print-directory check-fast
check-fast:
	$(Q)$(MAKE) --no-print-directory -k -j$$(nproc) build-tests; \
	BUILD_STATUS=$$? B=$(B) LPROF=$(B)/lprof FUZZ_SECONDS=$(or $(CHECK_FUZZ_SECONDS),3) tests/run-tests \
		$(CHECKS) $(UNIT) $(SANITIZED) $(FUZZERS) --beside $(BESIDE) --serial $(KERNEL) $(E2E)
check-kernels:
	$(Q)deploy/install-deps
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(KERNEL) $(B)/workloads/gcc-O2/counted $(B)/workloads/gcc-O2/spender && tests/kernels/run $(B)
check-systemd: deb
	$(Q)deploy/install-deps
	$(Q)$(MAKE) --no-print-directory $(B)/workloads/gcc-O2/counted && tests/systemd/run $(B)
fuzz: $(FUZZERS)
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run-tests $(FUZZERS)
bench bench-check: bench-tools
bench-tools:
	-$(Q)deploy/install-deps build bench
bench: all
	$(Q)B=$(B) LPROF=$(B)/lprof tests/bench/run $(CASES)
bench-check: all
	$(Q)B=$(B) LPROF=$(B)/lprof tests/bench/run --check --rounds 3 $(CASES)
soak: all
	$(Q)tests/soak/run --minutes $(or $(SOAK_MINUTES),10)
$(B)/demo/lua: tests/workloads/build-lua
	$(Q)tests/workloads/build-lua $(B)/demo gcc -O2 -g
demo:
	$(Q)deploy/install-deps
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(B)/demo/lua
	$(Q)$(B)/lprof run -l luaV_concat -l 'luaH_get*' -f 'luaD_*' -- $(B)/demo/lua tests/workloads/bench.lua 5

install: all
	install -D -m 755 $(B)/lprof $(DESTDIR)$(PREFIX)/bin/lprof
	install -D -m 755 $(B)/lprofd $(DESTDIR)$(PREFIX)/bin/lprofd
	install -d $(DESTDIR)$(UNITDIR) && sed 's|/usr/bin/|$(PREFIX)/bin/|' \
		deploy/lprofd.service > $(DESTDIR)$(UNITDIR)/lprofd.service
	install -m 644 -t $(DESTDIR)$(UNITDIR) deploy/lprofd.socket deploy/lprofd-metrics.socket
	install -D -m 644 deploy/lprof.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/lprof.conf
	install -D -m 644 deploy/lprof.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lprof.conf
	install -D -m 644 deploy/lprofd.conf $(DESTDIR)/etc/lprof/lprofd.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/man/*.8
	install -D -m 644 include/lprof.h $(DESTDIR)$(PREFIX)/include/lprof.h
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 docs/man/*.1
	install -D -m 644 deploy/completion/lprof $(DESTDIR)$(PREFIX)/share/bash-completion/completions/lprof
deb:
	$(Q)deploy/install-deps build deb
	$(Q)deploy/build-deb $(B) $(VERSION)
format:
	$(Q)clang-format -i $$(git ls-files '*.c' '*.h')
clean:
	$(Q)rm -rf $(B)

.PHONY: all build-tests warnings workloads check check-fast check-kernels check-systemd fuzz bench bench-check bench-tools soak demo install deb format clean
.SECONDARY:
.DELETE_ON_ERROR:
-include $(shell test -d $(B) && find $(B) -type f -name '*.d' -not -path '*/sources/*')

# What proves ccs: included by the Makefile.

.PHONY: check
check: all unit lint

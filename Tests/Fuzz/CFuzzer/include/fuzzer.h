// The part of libFuzzer that the driver calls: llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a
// library".
#pragma once
#include <stddef.h>
#include <stdint.h>

// Runs the fuzzer on a callback, by the options of the command line. Returns its exit status.
int LLVMFuzzerRunDriver(
    int *argc, char ***argv, int (*callback)(const uint8_t *bytes, size_t count));

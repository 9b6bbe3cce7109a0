/// The model that is part of the binary: the file made by `Training/pack.py`, whose format is
/// described there.
#ifndef C_BUILT_IN_MODEL_H
#define C_BUILT_IN_MODEL_H

#include <stddef.h>

/// The file's first byte, at a multiple of 64 bytes.
const void *built_in_model_bytes(void);

size_t built_in_model_byte_count(void);

#endif

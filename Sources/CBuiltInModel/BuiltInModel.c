#include "CBuiltInModel.h"

// C23 has #embed; compilers offer it in older modes too, and warn.
#pragma clang diagnostic ignored "-Wc23-extensions"

__attribute__((aligned(64))) static const unsigned char bytes[] = {
#embed "Weights/rerankd-minilm-l6-v1.bin"
};

const void *built_in_model_bytes(void) { return bytes; }

size_t built_in_model_byte_count(void) { return sizeof bytes; }

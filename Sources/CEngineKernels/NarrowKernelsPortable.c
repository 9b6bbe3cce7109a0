#define TILE_ROWS 2
#define TILE_PANELS 1
#define BYTE_KERNELS byte_kernels_portable
#include "ByteBody.h"

#define TILE_ROWS 2
#define TILE_PANELS 1
#define BRAIN_KERNELS brain_kernels_portable
#include "BrainBody.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fault_disk.h"

typedef struct {
  sqlite3_file base;
  fault_disk *disk;
  fault_node *node;
  uint64_t process;
  int lock;
  int has_shm;
  int slots_shared;
  int slots_exclusive;
} fault_file;

static sqlite3_vfs *real;

/// Of a process that is gone: nothing is to be touched through it any more.
static int is_gone(const fault_file *file) { return file->process != file->disk->process; }

// MARK: Files

static int file_read(sqlite3_file *opened, void *into, int count, sqlite3_int64 offset) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_READ;
  return fault_node_read(file->disk, file->node, into, count, offset);
}

static int file_write(sqlite3_file *opened, const void *bytes, int count, sqlite3_int64 offset) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_WRITE;
  return fault_node_write(file->disk, file->node, bytes, count, offset);
}

static int file_truncate(sqlite3_file *opened, sqlite3_int64 count) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_TRUNCATE;
  return fault_node_truncate(file->disk, file->node, count);
}

static int file_sync(sqlite3_file *opened, int flags) {
  (void)flags;
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_FSYNC;
  return fault_node_sync(file->disk, file->node);
}

static int file_size(sqlite3_file *opened, sqlite3_int64 *count) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_FSTAT;
  *count = file->node->seen.count;
  return SQLITE_OK;
}

static int file_unlock(sqlite3_file *opened, int level) {
  fault_file *file = (fault_file *)opened;
  if (file->lock <= level) return SQLITE_OK;
  if (!is_gone(file)) {
    fault_node *node = file->node;
    if (node->exclusive == file) node->exclusive = NULL;
    if (node->reserved == file && level < SQLITE_LOCK_RESERVED) node->reserved = NULL;
    if (level == SQLITE_LOCK_NONE) node->shared -= 1;
  }
  file->lock = level;
  return SQLITE_OK;
}

static int file_lock(sqlite3_file *opened, int level) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return SQLITE_IOERR_LOCK;
  if (file->lock >= level) return SQLITE_OK;
  fault_node *node = file->node;
  if (node->exclusive != NULL && node->exclusive != file) return SQLITE_BUSY;
  if (file->lock == SQLITE_LOCK_NONE) {
    node->shared += 1;
    file->lock = SQLITE_LOCK_SHARED;
  }
  if (level >= SQLITE_LOCK_RESERVED) {
    if (node->reserved != NULL && node->reserved != file) return SQLITE_BUSY;
    node->reserved = file;
    file->lock = SQLITE_LOCK_RESERVED;
  }
  if (level >= SQLITE_LOCK_PENDING) {
    if (node->shared > 1) return SQLITE_BUSY;
    node->exclusive = file;
    file->lock = level;
  }
  return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *opened, int *is_reserved) {
  fault_file *file = (fault_file *)opened;
  *is_reserved = !is_gone(file) && file->node->reserved != NULL;
  return SQLITE_OK;
}

static int file_control(sqlite3_file *opened, int operation, void *argument) {
  (void)opened, (void)operation, (void)argument;
  return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *opened) {
  (void)opened;
  return 4096;
}

static int file_characteristics(sqlite3_file *opened) {
  (void)opened;
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// MARK: The WAL index, which processes share in memory

static int shm_map(
    sqlite3_file *opened, int region, int bytes, int extend, void volatile **mapped) {
  fault_file *file = (fault_file *)opened;
  *mapped = NULL;
  if (is_gone(file)) return SQLITE_IOERR_SHMMAP;
  fault_node *node = file->node;
  if (!file->has_shm) {
    file->has_shm = 1;
    node->shm_users += 1;
  }
  if (region >= FAULT_SHM_REGIONS_MAX) return SQLITE_IOERR_SHMMAP;
  if (region >= node->region_count && !extend) return SQLITE_OK;
  while (node->region_count <= region) {
    unsigned char *made = calloc(1, (size_t)bytes);
    if (made == NULL) return SQLITE_IOERR_NOMEM;
    node->regions[node->region_count++] = made;
  }
  *mapped = node->regions[region];
  return SQLITE_OK;
}

static void shm_release(fault_file *file, int slot) {
  int bit = 1 << slot;
  if (file->slots_shared & bit) file->node->slot_shared[slot] -= 1;
  if (file->slots_exclusive & bit) file->node->slot_exclusive[slot] = NULL;
  file->slots_shared &= ~bit;
  file->slots_exclusive &= ~bit;
}

static int shm_lock(sqlite3_file *opened, int offset, int count, int flags) {
  fault_file *file = (fault_file *)opened;
  if (is_gone(file)) return flags & SQLITE_SHM_UNLOCK ? SQLITE_OK : SQLITE_IOERR_SHMLOCK;
  fault_node *node = file->node;
  if (flags & SQLITE_SHM_UNLOCK) {
    for (int slot = offset; slot < offset + count; slot++) shm_release(file, slot);
    return SQLITE_OK;
  }
  int exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (int slot = offset; slot < offset + count; slot++) {
    int own = (file->slots_shared >> slot) & 1;
    if (node->slot_exclusive[slot] != NULL && node->slot_exclusive[slot] != file) {
      return SQLITE_BUSY;
    }
    if (exclusive && node->slot_shared[slot] > own) return SQLITE_BUSY;
  }
  for (int slot = offset; slot < offset + count; slot++) {
    if (exclusive) {
      node->slot_exclusive[slot] = file;
      file->slots_exclusive |= 1 << slot;
    } else if (!((file->slots_shared >> slot) & 1)) {
      node->slot_shared[slot] += 1;
      file->slots_shared |= 1 << slot;
    }
  }
  return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *opened) {
  (void)opened;
  __sync_synchronize();
}

static int shm_unmap(sqlite3_file *opened, int must_delete) {
  fault_file *file = (fault_file *)opened;
  if (!file->has_shm) return SQLITE_OK;
  file->has_shm = 0;
  if (is_gone(file)) return SQLITE_OK;
  fault_node *node = file->node;
  for (int slot = 0; slot < FAULT_SHM_SLOTS; slot++) shm_release(file, slot);
  node->shm_users -= 1;
  if (must_delete && node->shm_users == 0) {
    for (int index = 0; index < node->region_count; index++) free(node->regions[index]);
    node->region_count = 0;
  }
  return SQLITE_OK;
}

static int file_close(sqlite3_file *opened) {
  shm_unmap(opened, 0);
  return file_unlock(opened, SQLITE_LOCK_NONE);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

// MARK: The VFS

static int vfs_open(
    sqlite3_vfs *vfs, const char *path, sqlite3_file *opened, int flags, int *flags_given) {
  (void)vfs;
  fault_disk *disk = fault_disk_at(path);
  if (disk == NULL) return real->xOpen(real, path, opened, flags, flags_given);
  fault_file *file = (fault_file *)opened;
  memset(file, 0, sizeof *file);
  if (disk->is_dead) return SQLITE_CANTOPEN;
  file->disk = disk;
  file->process = disk->process;
  file->node = fault_node_at(disk, path, (flags & SQLITE_OPEN_CREATE) != 0);
  if (file->node == NULL) return SQLITE_CANTOPEN;
  file->base.pMethods = &methods;
  if (flags_given != NULL) *flags_given = flags;
  return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder) {
  (void)vfs;
  fault_disk *disk = fault_disk_at(path);
  if (disk == NULL) return real->xDelete(real, path, sync_folder);
  fault_node *node = fault_node_at(disk, path, 0);
  return node == NULL ? SQLITE_IOERR_DELETE_NOENT : fault_node_delete(disk, node, sync_folder);
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
  (void)vfs;
  fault_disk *disk = fault_disk_at(path);
  if (disk == NULL) return real->xAccess(real, path, flags, result);
  fault_node *node = fault_node_at(disk, path, 0);
  // As the real one: an empty file is no journal to be rolled back.
  *result = node != NULL && (flags != SQLITE_ACCESS_EXISTS || node->seen.count > 0);
  return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int room, char *full) {
  (void)vfs;
  if (fault_disk_at(path) == NULL) return real->xFullPathname(real, path, room, full);
  if (strlen(path) >= (size_t)room) return SQLITE_CANTOPEN;
  strcpy(full, path);
  return SQLITE_OK;
}

static void register_once(void) {
  static sqlite3_vfs vfs;
  real = sqlite3_vfs_find(NULL);
  vfs = *real;
  vfs.zName = "fault";
  vfs.pNext = NULL;
  if (vfs.szOsFile < (int)sizeof(fault_file)) vfs.szOsFile = (int)sizeof(fault_file);
  vfs.xOpen = vfs_open;
  vfs.xDelete = vfs_delete;
  vfs.xAccess = vfs_access;
  vfs.xFullPathname = vfs_full_pathname;
  sqlite3_vfs_register(&vfs, 1);
}

void fault_vfs_register(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, register_once);
}

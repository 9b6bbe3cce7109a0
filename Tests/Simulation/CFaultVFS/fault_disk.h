#ifndef FAULT_DISK_H
#define FAULT_DISK_H

#include <sqlite3.h>
#include <stdint.h>

#include "fault_vfs.h"

#define FAULT_FILES_MAX 8
#define FAULT_NAME_MAX 64
#define FAULT_SHM_SLOTS 8
#define FAULT_SHM_REGIONS_MAX 64

/// Bytes that grow.
typedef struct {
  unsigned char *bytes;
  int64_t count;
  int64_t room;
} fault_content;

/// A write since the last sync; without bytes, a truncation to `offset`.
typedef struct {
  unsigned char *bytes;
  int64_t offset;
  int64_t count;
} fault_change;

typedef struct {
  char name[FAULT_NAME_MAX];
  /// Whether a process sees the file, and whether it is there after a power cut.
  int exists;
  int exists_durably;
  fault_content seen;
  fault_content synced;
  fault_change *changes;
  int64_t change_count;
  int64_t change_room;
  /// SQLite's locks on the file.
  int shared;
  const void *reserved;
  const void *exclusive;
  /// The WAL index.
  unsigned char *regions[FAULT_SHM_REGIONS_MAX];
  int region_count;
  int region_bytes;
  int shm_users;
  int slot_shared[FAULT_SHM_SLOTS];
  const void *slot_exclusive[FAULT_SHM_SLOTS];
} fault_node;

struct fault_disk {
  char folder[FAULT_NAME_MAX];
  fault_node nodes[FAULT_FILES_MAX];
  /// Counts up with every restart: files of an earlier process are dead.
  uint64_t process;
  int is_dead;
  int lies;
  int has_struck;
  int64_t armed[4];
  int64_t capacity;
  int64_t operations;
  fault_disk *next;
};

/// The disk that a path lies on; nil for any other path.
fault_disk *fault_disk_at(const char *path);
/// With `create`, made where there is none; nil when there is none, or no room for its name.
fault_node *fault_node_at(fault_disk *disk, const char *path, int create);

/// Each returns SQLITE_OK or what SQLite is to be told.
int fault_node_read(fault_disk *disk, fault_node *node, void *into, int count, int64_t offset);
int fault_node_write(
    fault_disk *disk, fault_node *node, const void *bytes, int count, int64_t offset);
int fault_node_truncate(fault_disk *disk, fault_node *node, int64_t count);
int fault_node_sync(fault_disk *disk, fault_node *node);
int fault_node_delete(fault_disk *disk, fault_node *node, int sync_folder);

#endif

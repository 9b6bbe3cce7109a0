#include "fault_disk.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_BYTES 512

static pthread_mutex_t disks_lock = PTHREAD_MUTEX_INITIALIZER;
static fault_disk *disks;
static uint64_t last_number;

static const char root[] = "/simulated-disk/";

// MARK: Contents

static void content_resize(fault_content *content, int64_t count) {
  if (count > content->room) {
    content->room = count * 2;
    content->bytes = realloc(content->bytes, (size_t)content->room);
    if (content->bytes == NULL) abort();
  }
  if (count > content->count) {
    memset(content->bytes + content->count, 0, (size_t)(count - content->count));
  }
  content->count = count;
}

static void content_write(
    fault_content *content, const unsigned char *bytes, int64_t count, int64_t offset) {
  if (offset + count > content->count) content_resize(content, offset + count);
  memcpy(content->bytes + offset, bytes, (size_t)count);
}

static void content_copy(fault_content *to, const fault_content *from) {
  content_resize(to, from->count);
  if (from->count > 0) memcpy(to->bytes, from->bytes, (size_t)from->count);
}

static void content_free(fault_content *content) {
  free(content->bytes);
  memset(content, 0, sizeof *content);
}

// MARK: Changes since the last sync

static void node_note(fault_node *node, const void *bytes, int64_t count, int64_t offset) {
  if (node->change_count == node->change_room) {
    node->change_room = node->change_room * 2 + 16;
    node->changes = realloc(node->changes, (size_t)node->change_room * sizeof *node->changes);
    if (node->changes == NULL) abort();
  }
  fault_change *change = &node->changes[node->change_count++];
  change->offset = offset;
  change->count = count;
  change->bytes = NULL;
  if (bytes == NULL) return;
  change->bytes = malloc((size_t)count);
  if (change->bytes == NULL) abort();
  memcpy(change->bytes, bytes, (size_t)count);
}

static void node_forget_changes(fault_node *node) {
  for (int64_t index = 0; index < node->change_count; index++) free(node->changes[index].bytes);
  node->change_count = 0;
}

static void node_apply(fault_node *node, const fault_change *change) {
  if (change->bytes != NULL) {
    content_write(&node->synced, change->bytes, change->count, change->offset);
  } else if (change->offset < node->synced.count) {
    node->synced.count = change->offset;
  }
}

static void node_drop_shm(fault_node *node) {
  for (int index = 0; index < node->region_count; index++) free(node->regions[index]);
  node->region_count = 0;
  node->shm_users = 0;
  memset(node->slot_shared, 0, sizeof node->slot_shared);
  memset(node->slot_exclusive, 0, sizeof node->slot_exclusive);
}

// MARK: Disks

static fault_disk *disk_make(void) {
  fault_disk *disk = calloc(1, sizeof *disk);
  if (disk == NULL) abort();
  disk->capacity = INT64_MAX;
  pthread_mutex_lock(&disks_lock);
  last_number += 1;
  snprintf(
      disk->folder, sizeof disk->folder, "%s%llu/", root, (unsigned long long)last_number);
  disk->next = disks;
  disks = disk;
  pthread_mutex_unlock(&disks_lock);
  return disk;
}

fault_disk *fault_disk_create(void) { return disk_make(); }

fault_disk *fault_disk_copy(const fault_disk *other) {
  fault_disk *disk = disk_make();
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    const fault_node *from = &other->nodes[index];
    fault_node *to = &disk->nodes[index];
    if (!from->exists) continue;
    memcpy(to->name, from->name, sizeof to->name);
    to->exists = to->exists_durably = 1;
    content_copy(&to->seen, &from->seen);
    content_copy(&to->synced, &from->seen);
  }
  return disk;
}

void fault_disk_destroy(fault_disk *disk) {
  pthread_mutex_lock(&disks_lock);
  for (fault_disk **link = &disks; *link != NULL; link = &(*link)->next) {
    if (*link != disk) continue;
    *link = disk->next;
    break;
  }
  pthread_mutex_unlock(&disks_lock);
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    fault_node *node = &disk->nodes[index];
    node_forget_changes(node);
    node_drop_shm(node);
    free(node->changes);
    content_free(&node->seen);
    content_free(&node->synced);
  }
  free(disk);
}

const char *fault_disk_folder(const fault_disk *disk) { return disk->folder; }

fault_disk *fault_disk_at(const char *path) {
  if (path == NULL || strncmp(path, root, sizeof root - 1) != 0) return NULL;
  pthread_mutex_lock(&disks_lock);
  fault_disk *disk = disks;
  while (disk != NULL && strncmp(path, disk->folder, strlen(disk->folder)) != 0) disk = disk->next;
  pthread_mutex_unlock(&disks_lock);
  return disk;
}

fault_node *fault_node_at(fault_disk *disk, const char *path, int create) {
  const char *name = path + strlen(disk->folder);
  fault_node *free_node = NULL;
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    fault_node *node = &disk->nodes[index];
    if (node->name[0] == 0) {
      if (free_node == NULL) free_node = node;
    } else if (strcmp(node->name, name) == 0) {
      if (node->exists || !create) return node->exists ? node : NULL;
      node->exists = 1;
      return node;
    }
  }
  if (!create || free_node == NULL || strlen(name) >= FAULT_NAME_MAX) return NULL;
  strcpy(free_node->name, name);
  free_node->exists = 1;
  return free_node;
}

void fault_disk_arm(fault_disk *disk, enum fault_operation operation, int64_t after) {
  disk->armed[operation] = after;
}

int fault_disk_has_struck(const fault_disk *disk) { return disk->has_struck; }
void fault_disk_forget_strike(fault_disk *disk) { disk->has_struck = 0; }
void fault_disk_set_capacity(fault_disk *disk, int64_t bytes) { disk->capacity = bytes; }
void fault_disk_set_lying(fault_disk *disk, int lies) { disk->lies = lies; }
int64_t fault_disk_operations(const fault_disk *disk) { return disk->operations; }
void fault_disk_kill(fault_disk *disk) { disk->is_dead = 1; }

int64_t fault_disk_used(const fault_disk *disk) {
  int64_t bytes = 0;
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    if (disk->nodes[index].exists) bytes += disk->nodes[index].seen.count;
  }
  return bytes;
}

/// Steele, Lea and Flood's generator.
static uint64_t draw(uint64_t *state) {
  uint64_t mixed = *state += 0x9E3779B97F4A7C15;
  mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
  return mixed ^ (mixed >> 31);
}

/// The sectors of one write reach the disk or not, each for itself.
static void node_tear(fault_node *node, const fault_change *change, uint64_t *state) {
  if (change->bytes == NULL) return;
  int64_t done = 0;
  while (done < change->count) {
    int64_t end = (change->offset + done) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
    int64_t count = end - change->offset - done;
    if (count > change->count - done) count = change->count - done;
    if (draw(state) % 2 == 0) {
      content_write(&node->synced, change->bytes + done, count, change->offset + done);
    }
    done += count;
  }
}

/// Half of the time what was written first survives and one write is torn; else any writes do.
static void node_cut_power(fault_node *node, uint64_t *state) {
  int in_order = draw(state) % 2 == 0;
  int64_t whole = (int64_t)(draw(state) % (uint64_t)(node->change_count + 1));
  for (int64_t index = 0; index < node->change_count; index++) {
    const fault_change *change = &node->changes[index];
    uint64_t fate = draw(state) % 4;
    if (in_order ? index < whole : fate < 2) {
      node_apply(node, change);
    } else if (in_order ? index == whole : fate == 2) {
      node_tear(node, change, state);
    }
  }
}

void fault_disk_restart(fault_disk *disk, int power_cut, uint64_t seed) {
  uint64_t state = seed;
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    fault_node *node = &disk->nodes[index];
    node->shared = 0;
    node->reserved = node->exclusive = NULL;
    node_drop_shm(node);
    if (!power_cut) continue;
    node_cut_power(node, &state);
    node_forget_changes(node);
    node->exists = node->exists_durably || (node->exists && draw(&state) % 2 == 0);
    node->exists_durably = node->exists;
    if (!node->exists) node->synced.count = 0;
    content_copy(&node->seen, &node->synced);
  }
  disk->process += 1;
  disk->is_dead = 0;
  disk->has_struck = 0;
  memset(disk->armed, 0, sizeof disk->armed);
}

// MARK: What a process does

static int strikes(fault_disk *disk, enum fault_operation operation) {
  if (disk->armed[operation] == 0) return 0;
  disk->armed[operation] -= 1;
  if (disk->armed[operation] > 0) return 0;
  disk->has_struck = 1;
  return 1;
}

enum life { ALIVE, DIES_NOW, DEAD };

/// Of the process that asks for an operation which changes something.
static enum life life_of(fault_disk *disk) {
  if (disk->is_dead) return DEAD;
  disk->operations += 1;
  if (!strikes(disk, FAULT_DEATH)) return ALIVE;
  disk->is_dead = 1;
  return DIES_NOW;
}

int fault_node_read(fault_disk *disk, fault_node *node, void *into, int count, int64_t offset) {
  if (disk->is_dead || strikes(disk, FAULT_READ)) return SQLITE_IOERR_READ;
  int64_t there = node->seen.count - offset;
  if (there >= count) {
    memcpy(into, node->seen.bytes + offset, (size_t)count);
    return SQLITE_OK;
  }
  memset(into, 0, (size_t)count);
  if (there > 0) memcpy(into, node->seen.bytes + offset, (size_t)there);
  return SQLITE_IOERR_SHORT_READ;
}

int fault_node_write(
    fault_disk *disk, fault_node *node, const void *bytes, int count, int64_t offset) {
  enum life life = life_of(disk);
  if (life == DIES_NOW) {
    // Half of it was done.
    int64_t part = (count / 2) / SECTOR_BYTES * SECTOR_BYTES;
    if (part > 0) {
      content_write(&node->seen, bytes, part, offset);
      node_note(node, bytes, part, offset);
    }
  }
  if (life != ALIVE) return SQLITE_IOERR_WRITE;
  if (strikes(disk, FAULT_WRITE)) return SQLITE_IOERR_WRITE;
  int64_t more = offset + count - node->seen.count;
  if (more > 0 && fault_disk_used(disk) + more > disk->capacity) return SQLITE_FULL;
  content_write(&node->seen, bytes, count, offset);
  node_note(node, bytes, count, offset);
  return SQLITE_OK;
}

int fault_node_truncate(fault_disk *disk, fault_node *node, int64_t count) {
  if (life_of(disk) != ALIVE) return SQLITE_IOERR_TRUNCATE;
  if (count >= node->seen.count) return SQLITE_OK;
  node->seen.count = count;
  node_note(node, NULL, 0, count);
  return SQLITE_OK;
}

static void sync_folder(fault_disk *disk) {
  for (int index = 0; index < FAULT_FILES_MAX; index++) {
    disk->nodes[index].exists_durably = disk->nodes[index].exists;
  }
}

int fault_node_sync(fault_disk *disk, fault_node *node) {
  if (life_of(disk) != ALIVE) return SQLITE_IOERR_FSYNC;
  // What a failed sync leaves is as uncertain as before it.
  if (strikes(disk, FAULT_SYNC)) return SQLITE_IOERR_FSYNC;
  if (disk->lies) return SQLITE_OK;
  for (int64_t index = 0; index < node->change_count; index++) {
    node_apply(node, &node->changes[index]);
  }
  node_forget_changes(node);
  if (!node->exists_durably) sync_folder(disk);
  return SQLITE_OK;
}

int fault_node_delete(fault_disk *disk, fault_node *node, int must_sync_folder) {
  if (life_of(disk) != ALIVE) return SQLITE_IOERR_DELETE;
  node->exists = 0;
  node->seen.count = 0;
  node_forget_changes(node);
  if (!must_sync_folder || disk->lies) {
    node_note(node, NULL, 0, 0);
  } else {
    node->synced.count = 0;
    sync_folder(disk);
  }
  return SQLITE_OK;
}

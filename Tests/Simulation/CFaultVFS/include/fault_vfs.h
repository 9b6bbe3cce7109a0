#ifndef FAULT_VFS_H
#define FAULT_VFS_H

#include <stdint.h>

/// A disk in memory for SQLite, which remembers what was synced.
///
/// Files whose path begins with a disk's folder (`/simulated-disk/N/`) live on it; the VFS that
/// `fault_vfs_register` makes SQLite's default hands every other path to the one that was the
/// default before. A disk and the connections to its files belong to one thread at a time;
/// different disks may be used on different threads.
///
/// Each file has two contents: what a process sees (the page cache), and what was synced, with the
/// writes since then in their order. A power cut keeps of those writes any subset, torn at sectors
/// of 512 bytes; a killed process leaves all of them. File names behave as on ext4: that a journal
/// or a WAL is there, or gone, is durable once such a file has been synced for the first time.
typedef struct fault_disk fault_disk;

/// What can be made to fail.
enum fault_operation {
  FAULT_READ = 0,
  FAULT_WRITE = 1,
  FAULT_SYNC = 2,
  /// Writes, syncs and truncations together: the process dies there, and nothing works any more.
  FAULT_DEATH = 3,
};

void fault_vfs_register(void);

fault_disk *fault_disk_create(void);
/// With what the other has on it, all of it synced.
fault_disk *fault_disk_copy(const fault_disk *other);
void fault_disk_destroy(fault_disk *disk);

/// The folder, ending in a slash.
const char *fault_disk_folder(const fault_disk *disk);

/// The `after`th such operation from now on (1: the next one) fails with an I/O error, once. 0
/// disarms.
void fault_disk_arm(fault_disk *disk, enum fault_operation operation, int64_t after);
/// Whether an armed fault has struck since the last restart.
int fault_disk_has_struck(const fault_disk *disk);
void fault_disk_forget_strike(fault_disk *disk);
/// Beyond so many bytes in all files, writes that need more fail with SQLITE_FULL.
void fault_disk_set_capacity(fault_disk *disk, int64_t bytes);
int64_t fault_disk_used(const fault_disk *disk);
/// Syncs succeed and do nothing.
void fault_disk_set_lying(fault_disk *disk, int lies);
/// How many writes, syncs and truncations there were since the disk was made.
int64_t fault_disk_operations(const fault_disk *disk);

/// The process that has files open is gone: nothing that it still does has any effect.
void fault_disk_kill(fault_disk *disk);
/// What the next process finds. With `power_cut`, only what was synced and a part of the rest that
/// is drawn from `seed`; else everything that was written.
void fault_disk_restart(fault_disk *disk, int power_cut, uint64_t seed);

#endif

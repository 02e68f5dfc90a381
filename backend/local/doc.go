// Package local stores objects as plain files under one directory.
//
// The key a/b.txt is the file a/b.txt, readable and writable by every other
// program. What no plain file can hold, or must not show, lives in the
// directory .objrepl at the top: temporary files, locks, and metadata where
// the file system has no extended attributes. It is never listed, and neither
// is any name that begins with [durable.TempPrefix]. A store that is only read
// gets no such directory.
//
// # Confinement
//
// Every access goes through an [os.Root], or through descriptors opened below
// it without following links: no key and no symbolic link leads out of the
// directory, also while somebody swaps directories for links. FIFOs and
// devices never block a call. When the directory itself is replaced, removed
// or mounted over while the store is open, calls fail with
// backend.ErrUnavailable or backend.ErrStoreNotFound and never answer from the
// other tree; open the store anew to accept it.
//
// # Large directories
//
// A listing reads each directory whole, as its names come in no order. More
// than 4 MiB of names (some 100,000) are sorted on disk, in a file of
// [os.TempDir] that has no name and is gone with the listing or the process.
// That takes as much space as the names, and from a GiB of them on at times
// twice as much; set TMPDIR (TMP on Windows) where the directory is small or in
// memory. A listing that cannot have the file fails.
//
// # Symbolic links
//
// With symlinks=skip, the default, a symbolic link is not an object and not a
// directory: it is not listed, keys below it are absent, and a write onto or
// through one is refused. With symlinks=follow a link inside the directory
// stands for its target; one that dangles, loops, is absolute or leads out is
// listed with a Problem, both under its name and as a directory, since what it
// stood for may have been either. A Delete, or a Put onto it, acts on the link.
//
// # Versions
//
// A file's Tag is its modification time in ns, inode and size; its Stamp is
// the status change time, which moves at every edit, also when the
// modification time is put back. A Stamp so fresh that another edit could
// share it ends in "~" and equals no later one. Windows tells neither inode
// nor status change time: the Tag is weaker there and the Stamp empty. A file
// system that makes up inode numbers (FAT, some FUSE ones) gives every object
// another Tag after it was mounted again.
//
// # Writes
//
// A file appears whole or not at all: written under a temporary name, flushed,
// renamed, directory flushed (durability=none leaves out the flushes). Create
// if absent is exclusive against every program where the file system has hard
// links or exclusive renames, which almost all do. Replace and delete if matching
// compare under a lock that all processes using this package share; a program
// that writes beside it can still slip in between the comparison and the
// rename. A Put makes missing parent directories, and a Delete removes those
// that it leaves empty.
//
// An upload in parts writes each to its place in a file under .objrepl/uploads,
// flushes it and then notes it in a log beside it, so that another process can
// go on with what is on disk. Completing it is the end of a Put; nothing is
// copied again, but onto a directory that is a mount of its own.
//
// # Metadata
//
// Content headers and user metadata are one JSON value in the extended
// attribute user.objrepl, or where that is not possible a file under
// .objrepl/meta that names the version it belongs to, so that it is never
// taken for another version's. A file without either takes its content type
// from user.mime_type (freedesktop.org Shared MIME). The modification time is
// the file's own. With mode=keep the permission bits travel as the user
// metadata "mode" in octal, as rclone has it (https://rclone.org/local/#metadata);
// set-id and sticky bits are never applied.
package local

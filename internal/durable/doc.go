// Package durable writes files that are whole or not there, and that survive a
// power cut once a call has returned.
//
// A file is written under a temporary name, flushed, and only then given its
// real name; after that the directory is flushed, since a name is data of the
// directory and not of the file. Everything goes through an [os.Root], so that
// no name and no symbolic link leads out of it.
//
// The order and the reason of each flush follow "All File Systems Are Not
// Created Equal" (Pillai et al., OSDI 2014) and fsync(2): a rename may reach
// the disk before the bytes it names, and a flush of a file says nothing of
// its directory entry.
package durable

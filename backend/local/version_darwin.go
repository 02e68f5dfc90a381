package local

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func versionOf(info fs.FileInfo, seen moment) version {
	v := version{size: info.Size(), mode: info.Mode(), seen: seen}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.mtime = moment{st.Mtimespec.Sec, st.Mtimespec.Nsec}
		v.ctime = moment{st.Ctimespec.Sec, st.Ctimespec.Nsec}
		v.ino, v.dev = st.Ino, uint64(st.Dev)
	}
	return v
}

func versionOfStat(st *unix.Stat_t, seen moment) version {
	return version{
		size:  st.Size,
		mtime: moment{st.Mtim.Sec, st.Mtim.Nsec},
		ctime: moment{st.Ctim.Sec, st.Ctim.Nsec},
		ino:   st.Ino, dev: uint64(st.Dev),
		mode: modeOf(uint32(st.Mode)), seen: seen,
	}
}

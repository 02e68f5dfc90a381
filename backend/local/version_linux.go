package local

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func versionOf(info fs.FileInfo, seen moment) version {
	v := version{size: info.Size(), mode: info.Mode(), seen: seen}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		v.mtime = moment{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)}
		v.ctime = moment{int64(st.Ctim.Sec), int64(st.Ctim.Nsec)}
		v.ino, v.dev = uint64(st.Ino), uint64(st.Dev)
	}
	return v
}

func versionOfStat(st *unix.Stat_t, seen moment) version {
	return version{
		size:  st.Size,
		mtime: moment{int64(st.Mtim.Sec), int64(st.Mtim.Nsec)},
		ctime: moment{int64(st.Ctim.Sec), int64(st.Ctim.Nsec)},
		ino:   uint64(st.Ino), dev: uint64(st.Dev),
		mode: modeOf(uint32(st.Mode)), seen: seen,
	}
}

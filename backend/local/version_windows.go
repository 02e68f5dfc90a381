package local

import "io/fs"

// versionOf knows neither inode nor status change time: Windows tells them
// only for an open file, and a listing must not open every file.
func versionOf(info fs.FileInfo, seen moment) version {
	t := info.ModTime()
	return version{
		size: info.Size(), mode: info.Mode(),
		mtime: moment{t.Unix(), int64(t.Nanosecond())}, seen: seen,
	}
}

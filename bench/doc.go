// Package bench measures the built CLI as a whole process against real servers
// and counts what it asks of them. The figures stand in docs/BENCHMARKS.md.
//
//	go test ./bench -run '^$' -bench . -benchtime 1x
package bench

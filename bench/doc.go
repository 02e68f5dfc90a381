// Package bench measures the built CLI as a whole process against real servers
// and synthetic ones, and counts what it asks of them. The figures stand in
// docs/BENCHMARKS.md.
//
//	go test ./bench -run '^$' -bench . -benchtime 1x -timeout 1h
//
// With OBJREPL_BENCH_PEERS=1 the benchmark Peers also builds other tools that do
// the same job, from the Go module proxy, and measures them in the same run. The
// builds take 12 minutes the first time.
package bench

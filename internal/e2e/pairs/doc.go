// Package pairs tests every pair of backends, and what each of them keeps beside
// the bytes, against real servers.
package pairs

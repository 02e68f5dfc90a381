// Package examples holds one-file programs that use the library, each in a
// directory of its own, and the sample tree data to run them on. The tests
// compile and run every one of them.
package examples

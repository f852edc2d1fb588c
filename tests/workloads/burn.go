// SPDX-License-Identifier: GPL-2.0-or-later
// Burns CPU time in recursion below a few callers, under Go's own CPU profiler. Usage: burn OUTPUT
package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func half(n int) int {
	return fibonacci(n)
}

func main() {
	output, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	pprof.StartCPUProfile(output)
	sum := 0
	for i := 0; i < 12; i++ {
		sum += half(33) + fibonacci(31)
	}
	pprof.StopCPUProfile()
	output.Close()
	fmt.Println(sum)
}

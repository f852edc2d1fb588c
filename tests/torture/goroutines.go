// SPDX-License-Identifier: GPL-2.0-or-later
// Go: a thousand goroutines, stacks that grow and move, panics recovered, garbage collected.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
)

var descents, throws int64

//go:noinline
func descend(depth int, pad [16]int) int {
	atomic.AddInt64(&descents, 1)
	if depth == 0 {
		return pad[3]
	}
	pad[depth%16] += depth
	return descend(depth-1, pad) + pad[depth%16]
}

//go:noinline
func thrower(value int) int {
	atomic.AddInt64(&throws, 1)
	if value%3 == 0 {
		panic(value)
	}
	var numbers []int
	if value%3 == 1 {
		return numbers[value]
	}
	return value * 2
}

//go:noinline
func catch(depth, value int) (result int) {
	defer func() {
		if cause := recover(); cause != nil {
			result = depth + value
		}
	}()
	if depth > 0 {
		return catch(depth-1, value) + 1
	}
	return thrower(value)
}

type node struct {
	left, right *node
	value       int
}

//go:noinline
func grow(depth int) *node {
	if depth == 0 {
		return &node{value: 1}
	}
	return &node{grow(depth - 1), grow(depth - 1), depth}
}

//go:noinline
func (n *node) sum() int {
	if n == nil {
		return 0
	}
	return n.value + n.left.sum() + n.right.sum()
}

//go:noinline
func work(at int, results chan<- int, group *sync.WaitGroup) {
	defer group.Done()
	var pad [16]int
	pad[3] = at
	total := descend(20+at%50, pad)
	runtime.Gosched()
	total += catch(at%5, at)
	results <- total
}

func main() {
	scale := 1
	if len(os.Args) > 1 {
		scale, _ = strconv.Atoi(os.Args[1])
	}
	sum, failures := uint64(0xcbf29ce484222325), 0
	for round := 0; round < scale; round++ {
		results := make(chan int, 10)
		var group sync.WaitGroup
		group.Add(1000)
		for at := 0; at < 1000; at++ {
			go work(at, results, &group)
		}
		go func() { group.Wait(); close(results) }()
		var all []int
		for result := range results {
			all = append(all, result)
		}
		sort.Ints(all)
		for _, value := range all {
			sum = (sum ^ uint64(value)) * 0x100000001b3
		}
		if len(all) != 1000 {
			failures++
		}
		tree := grow(8)
		runtime.GC()
		sum = (sum ^ uint64(tree.sum())) * 0x100000001b3
		var pad [16]int
		sum = (sum ^ uint64(descend(2000, pad))) * 0x100000001b3
		if errors.Unwrap(fmt.Errorf("%w", os.ErrClosed)) != os.ErrClosed {
			failures++
		}
	}
	fmt.Println("calls main.descend", atomic.LoadInt64(&descents))
	fmt.Println("calls main.thrower", atomic.LoadInt64(&throws))
	fmt.Println("calls main.work", 1000*scale)
	fmt.Printf("sum %016x, %d failures\n", sum, failures)
	if failures != 0 {
		os.Exit(1)
	}
	os.Exit(42)
}

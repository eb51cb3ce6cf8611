package main

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// forgetCode has the kernel take the program's own pages out of memory, most of
// which only starting needed. They are those of the file: what is needed again
// is there again at its next use, and the rest stays away.
//
// See madvise(2), MADV_DONTNEED, and proc_pid_maps(5).
func forgetCode() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		area, rest, _ := strings.Cut(line, " ")
		if !strings.HasPrefix(rest, "r-") || !strings.HasSuffix(line, " "+program+"\n") { // what can be written is not the file's any more
			continue
		}
		first, last, _ := strings.Cut(area, "-")
		from, err1 := strconv.ParseUint(first, 16, 64)
		to, err2 := strconv.ParseUint(last, 16, 64)
		if err1 == nil && err2 == nil && from < to {
			_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, uintptr(from), uintptr(to-from), syscall.MADV_DONTNEED) // advice may be refused
		}
	}
}

// Package bench measures the real service, over the same code path as the
// API: payments a second, latency, CPU and bytes a payment.
//
// It is run by `mianmi bench`; it judges nothing, it prints what it saw.
package bench

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Figures are what one run measured.
type Figures struct {
	Name     string        `json:"name"`
	Payments int64         `json:"payments"`
	PinFree  int64         `json:"pin_free"`
	Failed   int64         `json:"failed"`
	Seconds  float64       `json:"seconds"`
	PerSec   float64       `json:"payments_per_second"`
	P50      time.Duration `json:"-"`
	P99      time.Duration `json:"-"`
	P50ms    float64       `json:"p50_ms"`
	P99ms    float64       `json:"p99_ms"`
	// CPU in microseconds of user and system time a payment: of this process
	// (service and load generator together) and of the database server (0 when it
	// is inside this process or on another machine).
	ServiceCPU  float64 `json:"service_cpu_us"`
	DatabaseCPU float64 `json:"database_cpu_us"`
	LoadCPU     float64 `json:"load_cpu_us"`            // of the load process, where it is one of its own
	LogBytes    float64 `json:"log_bytes_per_payment"`  // write-ahead log
	DiskBytes   float64 `json:"disk_bytes_per_payment"` // growth of the database
	// The transparency log: entries that it took meanwhile, and how long it was
	// from a fact to its receipt.
	Entries      int     `json:"log_entries"`
	ReceiptP50ms float64 `json:"receipt_p50_ms"`
	ReceiptP99ms float64 `json:"receipt_p99_ms"`
}

// CPU is the whole cost of a payment.
func (f Figures) CPU() float64 { return f.ServiceCPU + f.DatabaseCPU }

// String is one line for people.
func (f Figures) String() string {
	return fmt.Sprintf("%-22s %9.0f payments/s  p50 %7.2f ms  p99 %7.2f ms  CPU %6.1f us (service %.1f + database %.1f)  log %5.0f B  disk %5.0f B  pin-free %3.0f %%  failed %d  receipts p50 %.0f ms  p99 %.0f ms",
		f.Name, f.PerSec, f.P50ms, f.P99ms, f.CPU(), f.ServiceCPU, f.DatabaseCPU, f.LogBytes, f.DiskBytes,
		100*float64(f.PinFree)/float64(max(f.Payments, 1)), f.Failed, f.ReceiptP50ms, f.ReceiptP99ms)
}

// finish derives the rates from the counts and latencies.
func (f *Figures) finish(elapsed time.Duration, latencies []time.Duration) {
	f.Seconds = elapsed.Seconds()
	f.PerSec = float64(f.Payments) / f.Seconds
	if len(latencies) == 0 {
		return
	}
	slices.Sort(latencies)
	f.P50, f.P99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	f.P50ms, f.P99ms = float64(f.P50.Microseconds())/1e3, float64(f.P99.Microseconds())/1e3
}

// counts is shared by the callers of a run.
type counts struct{ payments, pinFree, failed atomic.Int64 }

// ownCPU is the user and system time of this process so far.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// tick is the kernel's unit of /proc/PID/stat, 1/100 s on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// treeCPU is the time of a process and its children so far; 0 when it is not
// on this machine.
func treeCPU(root int) time.Duration {
	if root <= 0 { // the database is inside this process
		return 0
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	var total time.Duration
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		parent, used, ok := procStat(pid)
		if ok && (pid == root || parent == root) {
			total += used
		}
	}
	return total
}

// procStat reads the parent and the CPU time of a process, with that of its
// children that have ended.
func procStat(pid int) (parent int, used time.Duration, ok bool) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, false
	}
	// The name may hold spaces: the fields begin after its closing bracket.
	_, rest, found := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if !found || len(f) < 15 {
		return 0, 0, false
	}
	parent, err = strconv.Atoi(f[1])
	for _, i := range [...]int{11, 12, 13, 14} {
		n, bad := strconv.ParseInt(f[i], 10, 64)
		if bad != nil {
			return 0, 0, false
		}
		used += time.Duration(n) * tick
	}
	return parent, used, err == nil
}

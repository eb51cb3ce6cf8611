package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Prefixes are address ranges, written with commas between them. A single
// address is a range of one.
type Prefixes []netip.Prefix

// UnmarshalText reads ranges.
func (p *Prefixes) UnmarshalText(text []byte) error {
	*p = nil
	for _, s := range strings.FieldsFunc(string(text), func(r rune) bool { return r == ',' || r == ' ' }) {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			addr, e := netip.ParseAddr(s)
			if e != nil || addr.Zone() != "" {
				return fmt.Errorf("%q is not an address range; write it like 10.0.0.0/8 or 192.0.2.7", s)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		if prefix != prefix.Masked() {
			return fmt.Errorf("%q names an address inside a range; write the range as %s", s, prefix.Masked())
		}
		*p = append(*p, prefix)
	}
	return nil
}

// String returns the ranges as they are written.
func (p Prefixes) String() string {
	parts := make([]string, len(p))
	for i, prefix := range p {
		parts[i] = prefix.String()
	}
	return strings.Join(parts, ",")
}

// Contains reports whether an address is in one of the ranges.
func (p Prefixes) Contains(a netip.Addr) bool {
	a = a.Unmap()
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// Size is a number of bytes.
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalText reads a size such as 16MiB, 10MB or 4096.
func (s *Size) UnmarshalText(text []byte) error {
	word, factor := strings.TrimSpace(string(text)), int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(word, u.suffix); ok {
			word, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(word, 10, 64)
	if err != nil || n < 0 || n > (1<<50)/factor {
		return fmt.Errorf("%q is not a size; write it like 16MiB", text)
	}
	*s = Size(n * factor)
	return nil
}

// String returns the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, u := range []int{2, 1, 0} {
		if unit := units[u]; s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

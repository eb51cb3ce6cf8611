package federation

import (
	"runtime"
	"sync"
)

// mostGathered is how many things are done together at most.
const mostGathered = 64

// gatherer has things that arrive at the same time done together: while one
// lot is being done, the next gathers. When there is nothing else it adds no
// delay.
type gatherer[T any] struct {
	do func(lot []T)

	mu      sync.Mutex
	waiting []gathered[T]
	running bool
}

type gathered[T any] struct {
	thing T
	done  chan struct{}
}

// wait returns when the thing is done.
func (g *gatherer[T]) wait(thing T) {
	one := gathered[T]{thing, make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, one)
	lead := !g.running
	g.running = true
	g.mu.Unlock()
	if lead {
		go g.run()
	}
	<-one.done
}

func (g *gatherer[T]) run() {
	for {
		runtime.Gosched() // whoever is about to ask, on a busy machine, comes along
		g.mu.Lock()
		n := min(len(g.waiting), mostGathered)
		if n == 0 {
			g.running = false
			g.mu.Unlock()
			return
		}
		lot := append([]gathered[T](nil), g.waiting[:n]...)
		g.waiting = append(g.waiting[:0], g.waiting[n:]...)
		g.mu.Unlock()
		things := make([]T, n)
		for i, one := range lot {
			things[i] = one.thing
		}
		g.do(things)
		for _, one := range lot {
			close(one.done)
		}
	}
}

package peers

// ProbeState is how a step of a test of a connection ended.
type ProbeState string

// The states.
const (
	ProbeOK   ProbeState = "ok"
	ProbeWarn ProbeState = "warn" // it works, and may not for long; or it could not be tried
	ProbeBad  ProbeState = "bad"
)

// ProbeStep is one step of a test of a connection: see federation.Probe. Key
// and Args are a message of the catalogue.
type ProbeStep struct {
	Step  string // policy, dns, connect, tls, clock, server, signed, back, queue
	State ProbeState
	Key   string
	Args  map[string]any
}

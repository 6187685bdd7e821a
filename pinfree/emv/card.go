package emv

import "github.com/mianmi/mianmi/pinfree"

// CTQ is the card transaction qualifiers (tag 9F6C), with which a Visa or
// UnionPay card says what it wants of the terminal.
type CTQ [2]byte

// ParseCTQ reads four hexadecimal digits. Errors are Invalid.
func ParseCTQ(s string) (q CTQ, err error) { return q, parse("9F6C", s, q[:]) }

// String writes the qualifiers in hexadecimal.
func (q CTQ) String() string { return text(q[:]) }

// OnlinePIN: the card asks for online PIN (byte 1 bit 8).
func (q CTQ) OnlinePIN() bool { return q[0]&0x80 != 0 }

// Signature: the card asks for a signature (byte 1 bit 7).
func (q CTQ) Signature() bool { return q[0]&0x40 != 0 }

// CDCVM: the holder was verified on the device (byte 2 bit 8).
func (q CTQ) CDCVM() bool { return q[1]&0x80 != 0 }

// CVM is what counts as performed: verification on the device, unless the card
// asks for online PIN all the same.
func (q CTQ) CVM() pinfree.CVM {
	if q.CDCVM() && !q.OnlinePIN() {
		return pinfree.CDCVM
	}
	return pinfree.NoCVM
}

// AsksPIN is OnlinePIN for pinfree.Facts.
func (q CTQ) AsksPIN() pinfree.Flag { return pinfree.FlagOf(q.OnlinePIN()) }

// CVMResults is what the terminal says of the verification (tag 9F34): method,
// condition, result.
type CVMResults [3]byte

// Methods of CVMResults, byte 1 without bit 7 (go on to the next rule).
const (
	cvmPlaintextPIN  = 0x01
	cvmOnlinePIN     = 0x02
	cvmEncipheredPIN = 0x04
	cvmMethod        = 0x3F
	cvmSuccessful    = 0x02 // byte 3
	cvmFailed        = 0x01
)

// ParseCVMResults reads six hexadecimal digits. Errors are Invalid.
func ParseCVMResults(s string) (r CVMResults, err error) { return r, parse("9F34", s, r[:]) }

// String writes the results in hexadecimal.
func (r CVMResults) String() string { return text(r[:]) }

// OnlinePINEntered: a PIN was entered for the host to verify. Whether it is
// right, the host alone knows.
func (r CVMResults) OnlinePINEntered() bool {
	return r[0]&cvmMethod == cvmOnlinePIN && r[2] != cvmFailed
}

// CVM is what was performed with success as far as the terminal knows: offline
// PIN, or, in kernel C-2, which has no offline PIN and says so (010002) of it,
// verification on the device. Everything else, a signature among it, is none.
func (r CVMResults) CVM(k Kernel) pinfree.CVM {
	if r[2] != cvmSuccessful {
		return pinfree.NoCVM
	}
	switch method := r[0] & cvmMethod; {
	case method == cvmPlaintextPIN && k == KernelC2:
		return pinfree.CDCVM
	case method == cvmPlaintextPIN || method == cvmEncipheredPIN:
		return pinfree.OfflinePIN
	}
	return pinfree.NoCVM
}

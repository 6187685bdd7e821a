package mianmi

// Measure says which finding of which risk rule a tightening follows. It stands
// in the record of the tightening, so that whoever is met by it can be told why.
type Measure struct {
	ID          MeasureID `json:"id"`
	Rule        string    `json:"rule"`
	RuleVersion int64     `json:"rule_version"` // 0: shipped, and nobody has changed its stage
	RuleDigest  string    `json:"rule_digest"`  // of its text: the first 8 bytes of SHA-256, hexadecimal
	Alarm       AlarmID   `json:"alarm"`
	Finding     EntryID   `json:"finding"` // the entry at which it was found
}

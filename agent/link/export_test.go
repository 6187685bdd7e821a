package link

// InterfaceKind is what the check reads of an interface.
var InterfaceKind = interfaceKind

extension Bool {
    /// A boolean as Go reads it (`strconv.ParseBool`).
    public init?(goText: String) {
        switch goText {
        case "1", "t", "T", "true", "TRUE", "True": self = true
        case "0", "f", "F", "false", "FALSE", "False": self = false
        default: return nil
        }
    }
}

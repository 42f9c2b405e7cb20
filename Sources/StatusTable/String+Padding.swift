extension String {
    /// With spaces behind it, to a width in bytes; never shorter.
    func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(0, width - utf8.count)) }

    /// With spaces before it.
    func paddedLeft(_ width: Int) -> String { String(repeating: " ", count: max(0, width - utf8.count)) + self }
}

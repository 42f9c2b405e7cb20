extension JSON {
    /// Returns the result of a merge patch (RFC 7386): members of the patch replace, `null` removes.
    public func merging(_ patch: JSON) -> JSON {
        guard case .object(let changes) = patch else { return patch }
        var result = members == nil ? JSON.object([]) : self
        for change in changes {
            if case .null = change.value {
                result[change.name] = nil
            } else {
                result[change.name] = (result[change.name] ?? .null).merging(change.value)
            }
        }
        return result
    }
}

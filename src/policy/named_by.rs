//! What first named a resource to Diskseal.

words! {
    /// What first named a resource to Diskseal, for the template `{trigger}`. A look by way of the queue has what put
    /// the resource there.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum NamedBy, label of labels {
        /// An event of its write, or of the write of its machine.
        Event => "event",
        /// The timer's sweep.
        Sweep => "sweep",
        /// A person, who has named it or begun a sweep on the command line.
        Command => "command",
    }
}

impl NamedBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Event, Self::Sweep, Self::Command];

    /// The one with this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.label() == word)
    }
}

//! What was worked out of a shared value and depends on nothing else, kept while it is asked about.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// How many values are remembered: more people than call one Room within a moment. Two that fall on
/// the same slot take turns in it.
const SLOTS: usize = 64;

/// A fixed table from shared values to what was made of them. Values are told apart by where they
/// are; the table holds on to each, so that no other can come to be there meanwhile.
pub struct Memo<K, V>(Box<[Slot<K, V>]>);

type Slot<K, V> = ArcSwapOption<(Arc<K>, V)>;

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Self((0..SLOTS).map(|_| Slot::empty()).collect())
    }
}

impl<K, V: Clone> Memo<K, V> {
    /// What `make` made of this value, now or before.
    pub fn get(&self, key: &Arc<K>, make: impl FnOnce() -> V) -> V {
        // Allocations are 16 bytes apart at least.
        let slot = &self.0[(Arc::as_ptr(key).addr() >> 4) % SLOTS];
        if let Some(kept) = &*slot.load()
            && Arc::ptr_eq(&kept.0, key)
        {
            return kept.1.clone();
        }
        let value = make();
        slot.store(Some(Arc::new((key.clone(), value.clone()))));
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_worked_out_once_and_never_for_another() {
        let memo = Memo::default();
        let keys: Vec<_> = (0..10 * SLOTS).map(Arc::new).collect();
        for key in &keys {
            assert_eq!(memo.get(key, || **key), **key);
            assert_eq!(memo.get(key, || usize::MAX), **key, "the second time it is there");
        }
        for key in &keys {
            assert_eq!(memo.get(key, || **key), **key, "what was pushed out is made anew");
        }
    }

    #[test]
    fn what_is_remembered_keeps_its_place() {
        let memo = Memo::default();
        let key = Arc::new(1);
        memo.get(&key, || 1);
        assert_eq!(Arc::strong_count(&key), 2);
        let weak = Arc::downgrade(&key);
        drop(key);
        assert!(weak.upgrade().is_some(), "no other value can be at its address");
    }
}

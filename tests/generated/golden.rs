//! For each numbered rule, logs that only this rule refuses.

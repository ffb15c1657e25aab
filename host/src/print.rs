//! Rules as text, in the words of their own language.

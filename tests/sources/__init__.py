"""The function's side of every event source: what applications see of events, and what payloads are made."""

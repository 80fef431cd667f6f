"""A relayer with many sessions, measured: what it carries, and what each session costs it."""

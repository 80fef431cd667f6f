"""The media server: WHIP, WHEP, REST, its connections and leases, and its link to the relayer."""

/**
 * What the servers say, as types.
 * @module
 */

/**
 * @typedef {object} ChainInfo
 * @property {string} genesis_hash
 * @property {{address: string, name: string, type: string}[]} [development_accounts] on a
 *   development chain, whose accounts everybody can sign as
 * @property {string} chain
 * @property {string} symbol
 * @property {number} decimals
 */

/**
 * What an amount is of; servers of before said it for the chain alone.
 * @typedef {object} Unit
 * @property {string} [asset] `native`, or an asset's number
 * @property {string} [symbol]
 * @property {number} [decimals]
 */

/**
 * @typedef {object} Tier
 * @property {string} price of a period
 * @property {number} period_ms
 * @property {number} discount_ppm what it takes off the price of a second
 */

/**
 * @typedef {object} StreamFields
 * @property {number} id
 * @property {string} owner
 * @property {string} rate_per_second smallest units
 * @property {"active" | "paused" | "ended"} status
 * @property {string} funds_min
 * @property {number} gap_min_ms
 * @property {string} earned not yet claimed
 * @property {string} earned_total
 * @property {number} seconds
 * @property {string} [tips_total] part of what it earned
 * @property {Tier[]} [tiers]
 * @property {boolean} [live]
 * @property {number} [viewers]
 * @property {Card | null} [card] what its owner says that it is about; where
 *   the server has no community, it says neither this nor the next
 * @property {Name} [owner_name]
 */
/** @typedef {StreamFields & Unit} Stream */

/**
 * @typedef {object} Grant
 * @property {number} id
 * @property {string} cap_left
 * @property {string} rate_max_per_second
 * @property {number} expires_at
 * @property {number} sessions_max
 * @property {number} sessions_open
 */

/**
 * What paying takes: a `deposit` of at most `deposit_max`, both in the stream's asset. From
 * `storage_deposit` on all is in the chain's own token. Servers of before did not say the last ones.
 * @typedef {object} Needs
 * @property {string} deposit
 * @property {string} cap
 * @property {string} rate_max_per_second
 * @property {number} gap_ms
 * @property {number} [sessions_max] with which everything is reckoned
 * @property {string} [deposit_max] all that the account can deposit beside everything else
 * @property {string} [storage_deposit] held for the grant
 * @property {string} [fees]
 * @property {string} [existential_deposit] has to stay in the account
 * @property {string} [total]
 */

/**
 * @typedef {object} TermsFields
 * @property {number} stream
 * @property {string} rate_per_second
 * @property {string} viewer
 * @property {string} delegate
 * @property {string} vault
 * @property {Grant | null} grant
 * @property {string} free_balance
 * @property {string[]} missing any of `funds`, `grant`, `rate`, `cap`, `slot`, `gap`
 * @property {{amount: string, suffices: boolean}} [returning_soon] what sessions that are being
 *   closed will give back, and whether that is all that is missing
 * @property {Needs} [needs]
 * @property {string} [has] of the chain's own token
 * @property {string} [short_by] what it has too little of that for `needs.deposit` and the rest
 * @property {string} [asset_short_by] the same of the stream's asset, where that is another
 * @property {boolean} payable
 */
/** @typedef {TermsFields & Unit} Terms */

/**
 * @typedef {object} Session
 * @property {number} grant
 * @property {number} index
 * @property {number} stream
 * @property {string} rate_per_second
 * @property {"opening" | "open" | "closing" | "closed" | "failed"} status
 * @property {number} delivered_ms
 * @property {number} paid_seconds
 * @property {string} paid
 * @property {string} [vault]
 * @property {number | null} [runway_seconds]
 * @property {string} [end_reason] why the media ended
 * @property {string} [close_reason] why the ledger closed it
 * @property {number} ticks
 */

/**
 * What somebody is called; `handle` is null and `name` empty where they have not said.
 * @typedef {{account: string, handle: string | null, name: string}} Name
 */

/**
 * @typedef {object} Message
 * @property {number} number its place in the stream's chat
 * @property {string} id its author's own name for it
 * @property {Name} author
 * @property {"operator" | "owner" | "moderator" | null} role
 * @property {number} sent_at_ms
 * @property {string} text
 * @property {boolean} [deleted]
 * @property {number | null} [reply_to] the number of the message that it answers
 * @property {Name[]} [mentions] who is called by a handle in it
 */

/**
 * What waits for a moderator is kept and has no number yet.
 * @typedef {{id: string, number: null, held: true}} Waiting
 */

/**
 * How a chat is.
 * @typedef {object} ChatSettings
 * @property {number} slow_mode_s between two messages of an account
 * @property {"everybody" | "followers"} speakers
 * @property {boolean} links_held whether links wait for a moderator
 * @property {number} links_days but not those of accounts that signed in so long ago; 0 for nobody's
 */

/**
 * Who may not speak; for good where `until_ms` is null.
 * @typedef {Name & {until_ms: number | null}} Silent
 */

/**
 * What is reported: a message by its number, or an account by its handle or address.
 * @typedef {{message: number} | {account: string}} Target
 */

/**
 * @typedef {object} Reported
 * @property {number} stream
 * @property {Name} account
 * @property {{number: number, text: string, deleted: boolean} | null} message null where it is the
 *   account that is reported
 * @property {number} count
 * @property {number} since_ms
 * @property {{reason: string, text: string}[]} reports
 */

/**
 * @typedef {object} Held
 * @property {number} number
 * @property {number} stream
 * @property {Name} author
 * @property {string} text
 * @property {"filter" | "link"} why
 * @property {string | null} pattern
 * @property {number} held_at_ms
 */

/** @typedef {{number: number, pattern: string, action: "refuse" | "hold", within_words: boolean}} Filter */

/**
 * `account` is null where somebody has left.
 * @typedef {{pseudonym: string, account: string | null, handle: string | null, name: string}} Person
 */

/**
 * What somebody did as a moderator.
 * @typedef {object} Act
 * @property {number} number
 * @property {number} at_ms
 * @property {number | null} stream
 * @property {string} act
 * @property {Person} actor
 * @property {Person | null} subject
 * @property {string | null} reason
 * @property {Record<string, any>} detail
 */

/**
 * @typedef {object} Card
 * @property {string} title
 * @property {string} [description]
 * @property {string} category
 * @property {string[]} tags
 * @property {string} language
 * @property {number} age_min
 * @property {{starts_at_ms: number, title: string}[]} schedule
 */

/**
 * What the owner of a stream says of it, without the description; `card` is null where that is nothing.
 * @typedef {{stream: number, card: Card | null, owner_name: Name}} CardListed
 */

/**
 * @typedef {object} ProfileFields
 * @property {string} about text of several lines
 * @property {{label: string, url: string}[]} links
 * @property {string[]} languages BCP 47
 * @property {number} followers
 * @property {number} following
 * @property {boolean} [you_follow] said to who is signed in
 */
/** @typedef {Name & ProfileFields} Profile */

/**
 * @typedef {object} CardShown
 * @property {Card} card
 * @property {string} description_html cleaned by the server
 * @property {Name} owner
 * @property {{account: string, message: string, version: number, signature: string}} proof
 */

/**
 * A token, and until when it is good. The community's has an `id`, the others a `purpose`.
 * @typedef {{token: string, expires_at_ms: number, account?: string, id?: string, purpose?: string}} Token
 */

/**
 * A text that an account's key has to sign.
 * @typedef {{challenge: string, message: string, expires_at_ms: number, delegate?: string}} Challenge
 */

/**
 * Signs a text, and gives the signature as 0x-hex: a wallet, or a key of one's own.
 * @typedef {(message: string) => Promise<string> | string} SignText
 */

/**
 * @typedef {object} Submission
 * @property {"waiting" | "in_block" | "finalized" | "failed"} status
 * @property {string} [detail]
 * @property {Record<string, any>} [result]
 */

export {};

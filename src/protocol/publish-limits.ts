export const tagsMax = 32;

/** The limit for the name and for the value, in characters. A name has at least one. */
export const tagMaxLength = 200;

/**
 * How much the members of a publish may hold, texts in UTF-16 units. The gateway judges every publish by these limits,
 * and clients judge their own before they send them.
 */
export const fieldMaxLengths = { key: 200, messageId: 200, except: 200 } as const;

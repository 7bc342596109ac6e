export const maxUint32 = 0xffff_ffff;

/** 9999-12-31T23:59:59.999Z: the last instant that RFC 3339 can write. */
export const lastInstantMs = 253_402_300_799_999;

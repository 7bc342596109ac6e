/** That of package.json; a test keeps them in step. */
export const clientVersion = '0.1.0';

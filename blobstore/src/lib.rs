//! Bytes: audio and images of records, fetched from the PDS that holds them, checked against
//! their CIDs. Nothing is fetched yet; this room is here so that the doors stand where they will.

//! Capture files of every variant, read back through the public interface: what is written is what is read, whatever the
//! byte order, the packing, the pieces it comes in, and up to where it is cut.

mod damage;
mod forge;
mod formats;
mod inputs;

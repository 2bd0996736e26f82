"""The toolchain: turns pinned C sources into wheels; knows `awscrt` only through data."""

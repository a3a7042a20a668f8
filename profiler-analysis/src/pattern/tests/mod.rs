mod confusion;
mod guards;
mod heap;
mod hostile;
mod random;
mod server;
mod unsure;
mod waves;
